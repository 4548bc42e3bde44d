//! Hugetlb pages with folded and with unfolded struct pages.
//!
//! The kernel can fold the struct pages of a huge page into one page (`hugetlb_vmemmap_optimize_folio`,
//! mm/hugetlb_vmemmap.c). A kernel parameter enables folding, with which guests of the full flavours boot, or a sysctl,
//! for pages that are allocated later.

use std::fs;

const SWITCH: &str = "/proc/sys/vm/hugetlb_optimize_vmemmap";
const POOL: &str = "/proc/sys/vm/nr_hugepages";
/// Pages of vmemmap that folding saves per huge page: eight less one.
const SAVED: u64 = 7;

/// Sets whether struct pages of new huge pages are folded, until dropped.
pub(crate) struct Folding {
    before: Option<String>,
}

impl Folding {
    /// Returns the reason if this kernel cannot fold.
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

/// A pool of huge pages, all folded or all unfolded. For guests, where no other process uses huge pages.
pub(crate) struct Pool {
    _folding: Folding,
}

impl Pool {
    /// Makes a pool of `pages` huge pages. Returns the reason if this kernel cannot.
    pub(crate) fn make(pages: u64, folded: bool) -> Result<Self, String> {
        resize(0)?;
        let folding = Folding::set(folded)?;
        let before = struct_pages();
        resize(pages)?;
        let pool = Self { _folding: folding };
        match before.zip(struct_pages()) {
            Some((before, after)) => {
                let expected = if folded { SAVED * pages } else { 0 };
                assert_eq!(before - after, expected, "pages saved by folding");
            }
            None => println!("this kernel does not count the pages of its struct pages"),
        }
        Ok(pool)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Before the sysctl is restored, which does not change existing pages.
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

/// Returns the number of pages that hold struct pages; `None` before 6.11.
fn struct_pages() -> Option<u64> {
    let vmstat = fs::read_to_string("/proc/vmstat").unwrap();
    let count = |name: &str| -> Option<u64> {
        let mut lines = vmstat.lines();
        lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    Some(count("nr_memmap_pages ")? + count("nr_memmap_boot_pages ")?)
}
