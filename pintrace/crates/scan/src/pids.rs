//! Pids as /proc shows them. The kernel's structures have the pids of the initial pid namespace; /proc has those of the
//! namespace to which its mount belongs.

use std::collections::BTreeMap;
use std::path::Path;

use pintrace_common::scan::TaskSeen;
use pintrace_kernel::pid_namespace::{self, PidLayout};

use super::kernel_memory::{KernelMemory, low_half};
use super::tasks::Task;

/// The pid namespace of /proc, if it is not the initial one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcNamespace {
    layout: PidLayout,
    /// Depth below the initial namespace.
    level: u32,
    /// Address of the `pid_namespace`.
    address: u64,
}

/// Most namespaces, one inside the other (`MAX_PID_NS_LEVEL`, include/linux/pid_namespace.h).
const MOST_LEVELS: u32 = 32;

impl ProcNamespace {
    /// Finds the namespace of /proc by the pids of the task at address `own`, which is this process. `None` if it is the
    /// initial namespace, or if it cannot be found.
    pub(crate) fn find(memory: &dyn KernelMemory, layout: PidLayout, own: u64, proc: &Path) -> Option<Self> {
        let depth = pid_namespace::depth_below(proc)?;
        let pid = memory.pointer(at(own, layout.thread_pid))?;
        let own_level = memory.half(at(pid, layout.level))?;
        let level = (own_level + 1).checked_sub(depth)?;
        if level == 0 || level > MOST_LEVELS {
            return None;
        }
        let number = at(at(pid, layout.numbers), level * layout.number_bytes);
        Some(Self {
            layout,
            level,
            address: memory.pointer(at(number, layout.namespace))?,
        })
    }

    /// Returns the pid of the task at an address; `None` if the task is outside of the namespace.
    fn pid(&self, memory: &dyn KernelMemory, task: u64) -> Option<u32> {
        let layout = &self.layout;
        let pid = memory.pointer(at(task, layout.thread_pid))?;
        if memory.half(at(pid, layout.level))? < self.level {
            return None;
        }
        let number = at(at(pid, layout.numbers), self.level * layout.number_bytes);
        let namespace = memory.pointer(at(number, layout.namespace))?;
        let pid = memory.half(at(number, layout.nr))?;
        (namespace == self.address && pid != 0).then_some(pid)
    }

    /// Returns the task with pids of the namespace; `None` if the task is outside of the namespace.
    fn task(&self, memory: &dyn KernelMemory, seen: TaskSeen) -> Option<Task> {
        let leader = memory.pointer(at(seen.task, self.layout.group_leader))?;
        Some(Task {
            pid: self.pid(memory, leader)?,
            tid: self.pid(memory, seen.task)?,
            ..Task::from(seen)
        })
    }
}

/// Returns the tasks with their pids in the namespace of /proc. Tasks outside of it are left out.
pub(crate) fn tasks(
    memory: &dyn KernelMemory,
    namespace: Option<&ProcNamespace>,
    seen: Vec<TaskSeen>,
) -> Vec<Task> {
    match namespace {
        None => seen.into_iter().map(Task::from).collect(),
        Some(namespace) => seen
            .into_iter()
            .filter_map(|seen| namespace.task(memory, seen))
            .collect(),
    }
}

/// Pids of /proc by pids of the initial namespace.
pub(crate) enum Pids {
    /// Both are the same.
    Same,
    /// The pids of the processes of another namespace.
    Of(BTreeMap<u32, u32>),
}

impl Pids {
    /// Returns the pids of these tasks.
    pub(crate) fn of_tasks(namespace: Option<&ProcNamespace>, tasks: &[Task]) -> Self {
        if namespace.is_none() {
            return Self::Same;
        }
        Self::Of(tasks.iter().map(|task| (task.initial_pid, task.pid)).collect())
    }

    /// Returns the pid of a process by its pid in the initial namespace; `None` if the process is outside.
    pub(crate) fn get(&self, initial: u32) -> Option<u32> {
        match self {
            Self::Same => Some(initial),
            Self::Of(pids) => pids.get(&initial).copied(),
        }
    }

    /// Returns the pid of a process by its ids in a record of an iterator: tgid << 32 | tid.
    pub(crate) fn of_record(&self, pid_tgid: u64) -> Option<u32> {
        self.get(low_half(pid_tgid >> 32))
    }
}

fn at(object: u64, offset: u32) -> u64 {
    object.wrapping_add(offset.into())
}

#[cfg(test)]
mod tests;
