//! Pinned pages that nobody maps, given to the processes whose open descriptors explain them.

use std::collections::BTreeMap;

use super::pinned_folios::FolioRun;
use pintrace_kernel::descriptors::Descriptor;

/// A descriptor of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDescriptor {
    /// The process.
    pub pid: u32,
    /// The open file behind it, as an identity: several processes may share it. 0 if unknown.
    pub file: u64,
    /// What it is.
    pub descriptor: Descriptor,
}

/// One open file, and who has it.
struct OpenFile<'a> {
    pids: Vec<u32>,
    kind: &'a str,
    pages: Option<u64>,
}

/// Gives `unmapped_pins` pinned pages to processes, by pid. `mapped` are the pinned pages that each process maps.
///
/// A file whose holders map as many pinned pages as it has registered is explained. One that says what it registered
/// and whose holders map none of it takes that much; where only one process has descriptors that do not say, and it
/// maps nothing pinned, what remains is its.
pub fn assign(
    opens: &[OpenDescriptor],
    mapped: &BTreeMap<u32, u64>,
    unmapped_pins: u64,
) -> BTreeMap<u32, u64> {
    let mut unexplained = mapped.clone();
    let files = files(opens);
    let mut given = BTreeMap::new();
    let mut left = unmapped_pins;
    let mut wanting: Vec<(&OpenFile<'_>, u64)> = Vec::new();
    for file in &files {
        let Some(pages) = file.pages.filter(|pages| *pages != 0) else {
            continue;
        };
        if consume(&mut unexplained, &file.pids, pages) == 0 {
            wanting.push((file, pages));
        }
    }
    for (file, pages) in &wanting {
        // One that registered large folios holds less pins than pages.
        let takes = if *pages <= left {
            *pages
        } else if wanting.len() == 1 {
            left
        } else {
            continue;
        };
        give(&mut given, &mut left, file, takes);
    }
    let silent: Vec<_> = files
        .iter()
        .filter(|file| file.pages.is_none() && !SELDOM.contains(&file.kind))
        .filter(|file| file.pids.iter().all(|pid| !mapped.contains_key(pid)))
        .collect();
    let mut holders: Vec<_> = silent.iter().filter_map(|file| file.pids.first()).collect();
    holders.sort_unstable();
    holders.dedup();
    if let ([_], [file, ..]) = (holders.as_slice(), silent.as_slice()) {
        let rest = left;
        give(&mut given, &mut left, file, rest);
    }
    given
}

/// Divides what nobody maps among the processes that it is given to; what remains is nobody's (0). Which of the
/// folios are whose is not known: they are taken in order.
pub fn divide(runs: &[FolioRun], given: &BTreeMap<u32, u64>) -> Vec<(u32, FolioRun)> {
    let mut shares = given.iter().map(|(pid, pages)| (*pid, *pages)).peekable();
    let mut divided = Vec::new();
    for run in runs {
        let mut rest = *run;
        while rest.folios > 0 {
            let pins = u64::from(rest.pins.max(1));
            let (pid, folios) = match shares.peek_mut() {
                None => (0, rest.folios),
                Some((pid, pages)) => {
                    let folios = rest.folios.min(pages.div_ceil(pins));
                    *pages = pages.saturating_sub(folios * pins);
                    (*pid, folios)
                }
            };
            if shares.peek().is_some_and(|(_, pages)| *pages == 0) {
                shares.next();
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

/// Descriptors that hardly ever hold pins that their process does not map.
const SELDOM: &[&str] = &["kvm", "drm", "nvidia", "v4l2"];

/// Takes up to `pages` off what these processes map; gives how many.
fn consume(unexplained: &mut BTreeMap<u32, u64>, pids: &[u32], pages: u64) -> u64 {
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

fn give(given: &mut BTreeMap<u32, u64>, left: &mut u64, file: &OpenFile<'_>, pages: u64) {
    if let Some(pid) = file.pids.first()
        && pages != 0
    {
        *given.entry(*pid).or_insert(0) += pages;
        *left -= pages;
    }
}

/// The open files, each once.
fn files(opens: &[OpenDescriptor]) -> Vec<OpenFile<'_>> {
    let mut by_file: BTreeMap<(u64, u32, u32), OpenFile<'_>> = BTreeMap::new();
    for open in opens {
        let key = if open.file == 0 {
            (0, open.pid, open.descriptor.fd)
        } else {
            (open.file, 0, 0)
        };
        let shared = by_file.entry(key).or_insert_with(|| OpenFile {
            pids: Vec::new(),
            kind: &open.descriptor.kind,
            pages: open.descriptor.pages,
        });
        if !shared.pids.contains(&open.pid) {
            shared.pids.push(open.pid);
            shared.pids.sort_unstable();
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
    fn a_ring_whose_maker_has_died_belongs_to_who_has_it_open() {
        let opens = [
            open(2, 77, "io_uring", Some(64)),
            open(3, 88, "io_uring", Some(16)),
        ];
        let mapped = BTreeMap::from([(3, 16)]);
        assert_eq!(assign(&opens, &mapped, 64), BTreeMap::from([(2, 64)]));
    }

    #[test]
    fn a_ring_that_its_maker_still_maps_takes_nothing_for_others() {
        let opens = [
            open(2, 77, "io_uring", Some(64)),
            open(3, 77, "io_uring", Some(64)),
        ];
        assert_eq!(assign(&opens, &BTreeMap::from([(3, 64)]), 10), BTreeMap::new());
    }

    #[test]
    fn the_only_process_that_may_hold_them_does() {
        let opens = [
            open(2, 0, "vfio", None),
            open(2, 0, "vfio", None),
            open(9, 0, "kvm", None),
        ];
        assert_eq!(assign(&opens, &BTreeMap::new(), 256), BTreeMap::from([(2, 256)]));
    }

    #[test]
    fn of_two_that_may_hold_them_neither_is_accused() {
        let opens = [open(2, 5, "vfio", None), open(3, 6, "rdma", None)];
        assert_eq!(assign(&opens, &BTreeMap::new(), 256), BTreeMap::new());
        let opens = [
            open(2, 5, "io_uring", Some(100)),
            open(3, 6, "io_uring", Some(100)),
        ];
        assert_eq!(assign(&opens, &BTreeMap::new(), 50), BTreeMap::new());
    }
}
