//! Words for how processes have files open.

use std::collections::BTreeMap;

use pintrace_kernel::descriptors::Descriptor;
use pintrace_scan::open_files::{Opener, Place};

/// Most ways in which a file is open that one cell names.
const MOST_OPENERS: usize = 3;

/// Returns the ways in which a file is open: first those of process `pid`, then those of others with their pids.
pub(super) fn openers(pid: u32, openers: &[Opener]) -> String {
    let mut sorted: Vec<_> = openers.iter().collect();
    sorted.sort_by_key(|opener| opener.pid != pid);
    let mut words: Vec<_> = sorted
        .iter()
        .take(MOST_OPENERS)
        .map(|opener| {
            let place = place(opener.place);
            if opener.pid == pid {
                place
            } else {
                format!("pid {} {place}", opener.pid)
            }
        })
        .collect();
    if sorted.len() > MOST_OPENERS {
        words.push(format!("{} more", sorted.len() - MOST_OPENERS));
    }
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(", ")
    }
}

/// Returns the way in which a process has a file open.
pub(super) fn place(place: Place) -> String {
    match place {
        Place::Descriptor(fd) => format!("fd {fd}"),
        Place::Mapping(address) => format!("mapping {address:#x}"),
        Place::RegisteredRing(slot) => format!("registered ring {slot}"),
    }
}

/// Returns the descriptors by kind, such as `vfio fd 4, 5`.
pub(super) fn descriptors(all: &[Descriptor]) -> String {
    let mut by_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for descriptor in all {
        by_kind
            .entry(descriptor.kind)
            .or_default()
            .push(descriptor.fd.to_string());
    }
    let words: Vec<_> = by_kind
        .into_iter()
        .map(|(kind, fds)| format!("{kind} fd {}", fds.join(" ")))
        .collect();
    words.join(", ")
}
