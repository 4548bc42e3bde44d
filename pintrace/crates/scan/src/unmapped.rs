//! Assigns pinned pages that no process maps to the processes whose open descriptors explain the pages.

use std::collections::BTreeMap;

use super::pinned_folios::FolioRun;
use pintrace_kernel::descriptors::Descriptor;

/// An open descriptor of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDescriptor {
    /// Pid of the process.
    pub pid: u32,
    /// Address of the `struct file`, which several processes may share; 0 if unknown.
    pub file: u64,
    /// Number, kind and registered pages of the descriptor.
    pub descriptor: Descriptor,
}

/// An open file that can hold pins.
struct OpenFile<'a> {
    /// Pids of the processes that have the file open.
    pids: Vec<u32>,
    kind: &'a str,
    /// Number of pages registered with the file; `None` if unknown.
    pages: Option<u64>,
}

/// Assigns `unmapped_pins` pinned pages to processes. Returns the number of pages by pid. `mapped` is the number of
/// pinned pages that each process maps.
///
/// A file with registered pages is explained if its processes map pinned pages for it. If its processes map none, the
/// file takes its number of registered pages from the unmapped pins. Files with an unknown number of pages count only
/// if their processes map no pinned page. If all these files belong to one process, the rest goes to that process.
pub fn assign(
    opens: &[OpenDescriptor],
    mapped: &BTreeMap<u32, u64>,
    unmapped_pins: u64,
) -> BTreeMap<u32, u64> {
    let mut unexplained = mapped.clone();
    let files = files(opens);
    let mut assigned = BTreeMap::new();
    let mut remaining = unmapped_pins;
    let mut unmapped_files: Vec<(&OpenFile<'_>, u64)> = Vec::new();
    for file in &files {
        let Some(pages) = file.pages.filter(|pages| *pages != 0) else {
            continue;
        };
        if subtract_mapped(&mut unexplained, &file.pids, pages) == 0 {
            unmapped_files.push((file, pages));
        }
    }
    for (file, pages) in &unmapped_files {
        // A file that registered large folios may hold fewer pins than pages.
        let taken = if *pages <= remaining {
            *pages
        } else if unmapped_files.len() == 1 {
            remaining
        } else {
            continue;
        };
        take(&mut assigned, &mut remaining, file, taken);
    }
    let unknown_size: Vec<_> = files
        .iter()
        .filter(|file| file.pages.is_none() && !EXCLUDED_KINDS.contains(&file.kind))
        .filter(|file| file.pids.iter().all(|pid| !mapped.contains_key(pid)))
        .collect();
    let mut pids: Vec<_> = unknown_size.iter().filter_map(|file| file.pids.first()).collect();
    pids.sort_unstable();
    pids.dedup();
    if let ([_], [file, ..]) = (pids.as_slice(), unknown_size.as_slice()) {
        let rest = remaining;
        take(&mut assigned, &mut remaining, file, rest);
    }
    assigned
}

/// Divides the runs that no process maps among the processes of `assigned`. Folios that remain get pid 0. The owner of
/// a single folio is unknown, so each process takes the next folios in the order of frames.
pub fn divide(runs: &[FolioRun], assigned: &BTreeMap<u32, u64>) -> Vec<(u32, FolioRun)> {
    let mut amounts = assigned.iter().map(|(pid, pages)| (*pid, *pages)).peekable();
    let mut divided = Vec::new();
    for run in runs {
        let mut rest = *run;
        while rest.folios > 0 {
            let pins = u64::from(rest.pins.max(1));
            let (pid, folios) = match amounts.peek_mut() {
                None => (0, rest.folios),
                Some((pid, pages)) => {
                    let folios = rest.folios.min(pages.div_ceil(pins));
                    *pages = pages.saturating_sub(folios * pins);
                    (*pid, folios)
                }
            };
            if amounts.peek().is_some_and(|(_, pages)| *pages == 0) {
                amounts.next();
            }
            if folios > 0 {
                divided.push((pid, FolioRun { folios, ..rest }));
            }
            rest.pfn += folios << rest.order;
            rest.folios -= folios;
        }
    }
    divided
}

/// Kinds of descriptors that hardly ever hold pins that their process does not map.
const EXCLUDED_KINDS: &[&str] = &["kvm", "drm", "nvidia", "v4l2"];

/// Subtracts up to `pages` from the pinned pages that these processes map. Returns the number subtracted.
fn subtract_mapped(unexplained: &mut BTreeMap<u32, u64>, pids: &[u32], pages: u64) -> u64 {
    let mut taken = 0;
    for pid in pids {
        if let Some(left) = unexplained.get_mut(pid) {
            let part = (*left).min(pages - taken);
            *left -= part;
            taken += part;
        }
    }
    taken
}

/// Moves `pages` from `remaining` to the first process of the file.
fn take(assigned: &mut BTreeMap<u32, u64>, remaining: &mut u64, file: &OpenFile<'_>, pages: u64) {
    if let Some(pid) = file.pids.first()
        && pages != 0
    {
        *assigned.entry(*pid).or_insert(0) += pages;
        *remaining -= pages;
    }
}

/// Returns each open file once, with all its processes. Files with an unknown address count as separate files.
fn files(opens: &[OpenDescriptor]) -> Vec<OpenFile<'_>> {
    let mut by_file: BTreeMap<(u64, u32, u32), OpenFile<'_>> = BTreeMap::new();
    for open in opens {
        let key = if open.file == 0 {
            (0, open.pid, open.descriptor.fd)
        } else {
            (open.file, 0, 0)
        };
        let file = by_file.entry(key).or_insert_with(|| OpenFile {
            pids: Vec::new(),
            kind: &open.descriptor.kind,
            pages: open.descriptor.pages,
        });
        if !file.pids.contains(&open.pid) {
            file.pids.push(open.pid);
            file.pids.sort_unstable();
        }
    }
    by_file.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unmapped_pins_are_divided_in_order() {
        let run = FolioRun {
            pfn: 100,
            folios: 10,
            order: 1,
            kind: crate::kind::MemoryKind::Anon,
            pins: 2,
            index: 0,
        };
        let divided = divide(&[run], &BTreeMap::from([(7, 8), (9, 4)]));
        let shape: Vec<_> = divided
            .iter()
            .map(|(pid, run)| (*pid, run.pfn, run.folios))
            .collect();
        assert_eq!(shape, [(7, 100, 4), (9, 108, 2), (0, 112, 4)]);
    }

    fn open(pid: u32, file: u64, kind: &str, pages: Option<u64>) -> OpenDescriptor {
        OpenDescriptor {
            pid,
            file,
            descriptor: Descriptor {
                kind: kind.to_owned(),
                fd: 4,
                pages,
            },
        }
    }

    #[test]
    fn pages_of_a_ring_go_to_the_process_that_has_the_ring_open() {
        let opens = [
            open(2, 77, "io_uring", Some(64)),
            open(3, 88, "io_uring", Some(16)),
        ];
        let mapped = BTreeMap::from([(3, 16)]);
        assert_eq!(assign(&opens, &mapped, 64), BTreeMap::from([(2, 64)]));
    }

    #[test]
    fn a_ring_with_mapped_pages_takes_no_unmapped_pins() {
        let opens = [
            open(2, 77, "io_uring", Some(64)),
            open(3, 77, "io_uring", Some(64)),
        ];
        assert_eq!(assign(&opens, &BTreeMap::from([(3, 64)]), 10), BTreeMap::new());
    }

    #[test]
    fn unmapped_pins_go_to_the_only_process_that_may_hold_them() {
        let opens = [
            open(2, 0, "vfio", None),
            open(2, 0, "vfio", None),
            open(9, 0, "kvm", None),
        ];
        assert_eq!(assign(&opens, &BTreeMap::new(), 256), BTreeMap::from([(2, 256)]));
    }

    #[test]
    fn unmapped_pins_go_to_neither_of_two_possible_processes() {
        let opens = [open(2, 5, "vfio", None), open(3, 6, "rdma", None)];
        assert_eq!(assign(&opens, &BTreeMap::new(), 256), BTreeMap::new());
        let opens = [
            open(2, 5, "io_uring", Some(100)),
            open(3, 6, "io_uring", Some(100)),
        ];
        assert_eq!(assign(&opens, &BTreeMap::new(), 50), BTreeMap::new());
    }
}
