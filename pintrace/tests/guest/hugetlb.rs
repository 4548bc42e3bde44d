//! Hugetlb pages whose struct pages are folded, and such whose are not.
//!
//! The kernel can let the struct pages of a huge page share memory (`hugetlb_vmemmap_optimize_folio`, mm/hugetlb_vmemmap.c): by a
//! parameter, which full flavours are booted with here, or by a switch, for the pages that are made from then on.

use std::fs;

const SWITCH: &str = "/proc/sys/vm/hugetlb_optimize_vmemmap";
const POOL: &str = "/proc/sys/vm/nr_hugepages";
/// Pages of struct pages that a huge page has, less the one that it keeps when they are folded.
const SAVED: u64 = 7;

/// The struct pages of huge pages that are made while this lives are folded, or they are not.
pub(crate) struct Folding {
    before: Option<String>,
}

impl Folding {
    /// Says why if this kernel cannot.
    pub(crate) fn set(folded: bool) -> Result<Self, String> {
        match fs::read_to_string(SWITCH) {
            Ok(before) => {
                fs::write(SWITCH, if folded { "1" } else { "0" })
                    .map_err(|error| format!("{SWITCH}: {error}"))?;
                Ok(Self { before: Some(before) })
            }
            Err(error) if folded => Err(format!("{SWITCH}: {error}")),
            Err(_) => Ok(Self { before: None }),
        }
    }
}

impl Drop for Folding {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = fs::write(SWITCH, before);
        }
    }
}

/// So many huge pages, all of one make, and no others. For guests, where nobody else wants any.
pub(crate) struct Pool {
    _folding: Folding,
}

impl Pool {
    /// Says why if this kernel cannot.
    pub(crate) fn make(pages: u64, folded: bool) -> Result<Self, String> {
        resize(0)?;
        let folding = Folding::set(folded)?;
        let before = struct_pages();
        resize(pages)?;
        let pool = Self { _folding: folding };
        match before.zip(struct_pages()) {
            Some((before, after)) => {
                let expected = if folded { SAVED * pages } else { 0 };
                assert_eq!(before - after, expected, "pages that folding has saved");
            }
            None => println!("this kernel does not count the pages of its struct pages"),
        }
        Ok(pool)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Before the switch is set back, which makes no difference to pages that are there.
        let _ = resize(0);
    }
}

fn resize(pages: u64) -> Result<(), String> {
    fs::write(POOL, pages.to_string()).map_err(|error| format!("{POOL}: {error}"))?;
    let text = fs::read_to_string(POOL).unwrap();
    if text.trim() == pages.to_string() {
        Ok(())
    } else {
        Err(format!("{POOL}: {} of {pages}", text.trim()))
    }
}

/// Pages that struct pages lie in; `None` before 6.11.
fn struct_pages() -> Option<u64> {
    let vmstat = fs::read_to_string("/proc/vmstat").unwrap();
    let count = |name: &str| -> Option<u64> {
        let mut lines = vmstat.lines();
        lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    Some(count("nr_memmap_pages ")? + count("nr_memmap_boot_pages ")?)
}
