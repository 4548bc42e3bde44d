//! An iterator over the tasks that have an mm (`bpf_iter_task`, kernel/bpf/task_iter.c).

use core::ffi::c_void;

use pintrace_common::scan::TaskSeen;

use crate::{
    facts::SCAN_FACTS,
    iterator::{self, Meta, read_u64},
};

/// The context of the iterator, `struct bpf_iter__task`.
#[repr(C)]
pub struct TaskContext {
    meta: *const Meta,
    task: *const c_void,
}

/// Writes a record of each task that has an mm.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub extern "C" fn tasks(ctx: *const TaskContext) -> i32 {
    // SAFETY: the kernel passes two pointers that the verifier checks. The second pointer is null at the end.
    let (seq, task) = unsafe { ((*(*ctx).meta).seq, (*ctx).task) };
    if task.is_null() {
        return 0;
    }
    let task = task as u64;
    let mm = read_u64(task, SCAN_FACTS.task_mm());
    if mm == 0 {
        return 0;
    }
    let io_uring = match SCAN_FACTS.task_io_uring() {
        0 => 0,
        offset => read_u64(task, offset),
    };
    let seen = TaskSeen {
        task,
        pid_tgid: iterator::pid_tgid(task),
        mm,
        mm_flags: read_u64(mm, SCAN_FACTS.mm_flags()),
        io_uring,
    };
    iterator::write(seq, &seen);
    0
}
