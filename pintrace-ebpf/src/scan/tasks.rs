//! An iterator over the tasks whose mm has ever pinned (`bpf_iter_task`, kernel/bpf/task_iter.c).

use core::ffi::c_void;

use aya_ebpf::{
    bindings::seq_file,
    helpers::generated::{bpf_probe_read_kernel, bpf_seq_write},
};
use pintrace_common::scan::TaskSeen;

use crate::{facts::SCAN_FACTS, maps};

/// The context of the iterator, `struct bpf_iter__task`.
#[repr(C)]
pub struct TaskContext {
    meta: *const Meta,
    task: *const c_void,
}

/// Beginning of `struct bpf_iter_meta`.
#[repr(C)]
pub struct Meta {
    seq: *mut seq_file,
}

/// Writes a record of a task whose mm has pinned pages, or may have.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task")]
pub extern "C" fn tasks(ctx: *const TaskContext) -> i32 {
    // SAFETY: the kernel passes two pointers that the verifier checks. The second pointer is null at the end.
    let (seq, task) = unsafe { ((*(*ctx).meta).seq, (*ctx).task) };
    let Some(state) = maps::state() else {
        return 0;
    };
    if task.is_null() {
        return 0;
    }
    let task = task as u64;
    let mm = read_u64(task, SCAN_FACTS.task_mm());
    if mm == 0 {
        return 0;
    }
    if state.pinned_mask != 0 && read_u64(mm, SCAN_FACTS.mm_flags()) & state.pinned_mask == 0 {
        return 0;
    }
    let seen = TaskSeen {
        task,
        tgid: read_u64(task, SCAN_FACTS.task_tgid()) & 0xffff_ffff,
        mm,
    };
    // SAFETY: the record on the stack has the length that is passed. If the buffer is full, the kernel repeats the
    // task.
    unsafe { bpf_seq_write(seq, (&raw const seen).cast(), size_of::<TaskSeen>() as u32) };
    0
}

/// Returns a u64 of kernel memory, or 0 if the memory cannot be read.
#[inline(always)]
fn read_u64(base: u64, offset: u32) -> u64 {
    let mut value = 0u64;
    // SAFETY: the helper checks the address. A fault is an error, not a crash.
    unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 8, (base + u64::from(offset)) as *const _) };
    value
}
