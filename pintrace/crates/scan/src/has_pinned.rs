//! Which processes ever pinned: the bit that the kernel sets in an address space at its first pin and never clears.

use std::collections::BTreeMap;

use pintrace_kernel::own_page;

use super::object::{Object, ObjectError};
use pintrace_kernel::scan_layout::Layout;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessTask {
    /// Its id.
    pub pid: u32,
    /// The `task_struct` of one of its threads.
    pub task: u64,
}

/// The bit, by which the kernel marks a pin in the flags of an `mm_struct` (`MMF_HAS_PINNED`, whose number is a macro
/// and changes): found by a harmless pin of this process's own. `None` if it was set before.
pub fn pinned_mask(object: &Object, layout: &Layout) -> Result<Option<u64>, ObjectError> {
    if layout.pinned_is_a_field {
        return Ok(Some(u64::from(u32::MAX)));
    }
    let task = object.probe_read(0)?.task;
    let flags = || {
        let mm = object.read_u64(task + u64::from(layout.facts.task_mm))?;
        object.read_u64(mm + u64::from(layout.facts.mm_flags))
    };
    let before = flags();
    let pinned = own_page::pin().is_ok();
    let after = flags();
    Ok(match (before, after) {
        (Some(before), Some(after)) if pinned && after & !before != 0 => Some(after & !before),
        _ => None,
    })
}

/// Processes with an address space of their own that has pinned (`mask`), or all (`mask` 0), by pid. `None` if the kernel
/// does not tell.
pub fn processes(object: &mut Object, mask: u64) -> Result<Option<Vec<ProcessTask>>, ObjectError> {
    let Some(tasks) = object.tasks(mask)? else {
        return Ok(None);
    };
    let mut by_mm: BTreeMap<u64, ProcessTask> = BTreeMap::new();
    for task in tasks {
        let pid = u32::try_from(task.tgid).unwrap_or(0);
        let process = ProcessTask { pid, task: task.task };
        // One that was cloned with its parent's address space is named by the older id.
        by_mm
            .entry(task.mm)
            .and_modify(|known| {
                if pid < known.pid {
                    *known = process;
                }
            })
            .or_insert(process);
    }
    let mut processes: Vec<_> = by_mm.into_values().collect();
    processes.sort_by_key(|process| process.pid);
    Ok(Some(processes))
}
