//! The processes that ever pinned: the kernel sets a bit in an mm at its first pin, and never clears the bit.

use std::collections::BTreeMap;

use pintrace_kernel::own_page;

use super::object::{Object, ObjectError};
use pintrace_kernel::scan_layout::Layout;

/// A process, and the address of a task of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessTask {
    /// Pid (tgid).
    pub pid: u32,
    /// Address of the `task_struct` of one thread of the process; 0 if unknown.
    pub task: u64,
}

/// Returns the bit by which the kernel marks a pin in the flags of an `mm_struct` (`MMF_HAS_PINNED`). The number of the
/// bit is a macro and changes between kernels, so pintrace pins a page of its own memory and compares the flags before
/// and after. `None` if the bit was already set or is not found.
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

/// Returns the processes, by pid, whose mm flags have a bit of `mask`, or all processes with an mm if `mask` is 0.
/// `None` if the kernel has no task iterator.
pub fn processes(object: &mut Object, mask: u64) -> Result<Option<Vec<ProcessTask>>, ObjectError> {
    let Some(tasks) = object.tasks(mask)? else {
        return Ok(None);
    };
    let mut by_mm: BTreeMap<u64, ProcessTask> = BTreeMap::new();
    for task in tasks {
        let pid = u32::try_from(task.tgid).unwrap_or(0);
        let process = ProcessTask { pid, task: task.task };
        // Processes that share one mm (CLONE_VM) count as one process, under the lowest pid.
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
