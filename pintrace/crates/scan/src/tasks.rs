//! The tasks of the system, and the processes that ever pinned: the kernel sets a bit in an mm at its first pin, and
//! never clears the bit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pintrace_common::scan::TaskSeen;
use pintrace_kernel::own_page;
use pintrace_kernel::scan_layout::Layout;

use super::kernel_memory::{KernelMemory, low_half};
use super::object::{Object, ObjectError};

/// A thread that has an mm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Pid of the process (tgid).
    pub pid: u32,
    /// Id of the thread.
    pub tid: u32,
    /// Pid of the process in the initial pid namespace; 0 if unknown.
    pub initial_pid: u32,
    /// Address of the `task_struct`; 0 if unknown.
    pub address: u64,
    /// Address of the `mm_struct`; 0 if unknown.
    pub mm: u64,
    /// The word of the mm that contains the mark of a pin.
    pub mm_flags: u64,
    /// Address of the `io_uring_task`; 0 for none.
    pub io_uring: u64,
}

impl From<TaskSeen> for Task {
    fn from(seen: TaskSeen) -> Self {
        Self {
            pid: low_half(seen.pid_tgid >> 32),
            tid: low_half(seen.pid_tgid),
            initial_pid: low_half(seen.pid_tgid >> 32),
            address: seen.task,
            mm: seen.mm,
            mm_flags: seen.mm_flags,
            io_uring: seen.io_uring,
        }
    }
}

/// A process, and one of its threads that has an mm. The first thread of a process may have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessTask {
    /// Pid (tgid).
    pub pid: u32,
    /// Id of the thread.
    pub tid: u32,
}

impl ProcessTask {
    /// Returns the folder of the thread below a /proc.
    pub fn folder(self, proc: &Path) -> PathBuf {
        proc.join(format!("{}/task/{}", self.pid, self.tid))
    }
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
        let mm = object.word(task + u64::from(layout.facts.task_mm))?;
        object.word(mm + u64::from(layout.facts.mm_flags))
    };
    let before = flags();
    let pinned = own_page::pin().is_ok();
    let after = flags();
    Ok(match (before, after) {
        (Some(before), Some(after)) if pinned && after & !before != 0 => Some(after & !before),
        _ => None,
    })
}

/// Returns the processes whose mm flags have a bit of `mask`, by pid. Processes that share one mm (CLONE_VM) count as
/// one process, under the lowest pid.
pub fn processes(tasks: &[Task], mask: u64) -> Vec<ProcessTask> {
    let mut by_mm: BTreeMap<u64, ProcessTask> = BTreeMap::new();
    for task in tasks.iter().filter(|task| task.mm_flags & mask != 0) {
        let process = ProcessTask {
            pid: task.pid,
            tid: task.tid,
        };
        by_mm
            .entry(task.mm)
            .and_modify(|known| *known = process.min(*known))
            .or_insert(process);
    }
    let mut processes: Vec<_> = by_mm.into_values().collect();
    processes.sort_unstable();
    processes
}

/// Returns the processes of /proc as tasks without mm, with all bits of the flags set, because their flags are unknown.
pub fn in_proc(proc: &Path) -> Vec<Task> {
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.map(|pid| Task {
        pid,
        tid: pid,
        initial_pid: 0,
        address: 0,
        // Each process counts as a process of its own.
        mm: pid.into(),
        mm_flags: u64::MAX,
        io_uring: 0,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(pid: u32, tid: u32, mm: u64, mm_flags: u64) -> Task {
        Task {
            pid,
            tid,
            mm,
            mm_flags,
            ..Task::default()
        }
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_is_found_by_another_thread() {
        let tasks = [task(7, 9, 1, 4), task(7, 8, 1, 4), task(5, 5, 2, 3)];
        assert_eq!(processes(&tasks, 4), [ProcessTask { pid: 7, tid: 8 }]);
    }

    #[test]
    fn processes_with_one_mm_count_once() {
        let tasks = [task(9, 9, 1, 1), task(3, 3, 1, 1)];
        assert_eq!(processes(&tasks, u64::MAX), [ProcessTask { pid: 3, tid: 3 }]);
    }
}
