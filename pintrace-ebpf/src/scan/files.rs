//! Iterators over the open files of all tasks: over descriptors (`bpf_iter_task_file`, 5.8) and over mappings
//! (`bpf_iter_task_vma`, 5.13). Both select the files that can hold pins by `file_operations.release`.

use core::ffi::c_void;

use aya_ebpf::bindings::seq_file;
use pintrace_common::scan::FileSeen;

use crate::{
    facts::SCAN_FACTS,
    iterator::{self, Meta, read_u64},
    maps,
};

/// The context of the iterator over descriptors, `struct bpf_iter__task_file`. Each member takes 8 bytes.
#[repr(C)]
pub struct TaskFileContext {
    meta: *const Meta,
    task: *const c_void,
    fd: u32,
    file: *const c_void,
}

/// The context of the iterator over mappings, `struct bpf_iter__task_vma`.
#[repr(C)]
pub struct TaskVmaContext {
    meta: *const Meta,
    task: *const c_void,
    vma: *const c_void,
}

/// Writes a record of each descriptor whose file the filter selects.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
pub extern "C" fn descriptors(ctx: *const TaskFileContext) -> i32 {
    // SAFETY: the kernel passes pointers that the verifier checks. The last pointers are null at the end.
    let (seq, task, fd, file) = unsafe { ((*(*ctx).meta).seq, (*ctx).task, (*ctx).fd, (*ctx).file) };
    if task.is_null() || file.is_null() {
        return 0;
    }
    select(seq, task as u64, file as u64, u64::from(fd));
    0
}

/// Writes a record of each mapping whose file the filter selects.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_vma")]
pub extern "C" fn mappings(ctx: *const TaskVmaContext) -> i32 {
    // SAFETY: the kernel passes pointers that the verifier checks. The last pointers are null at the end.
    let (seq, task, vma) = unsafe { ((*(*ctx).meta).seq, (*ctx).task, (*ctx).vma) };
    if task.is_null() || vma.is_null() {
        return 0;
    }
    let file = read_u64(vma as u64, SCAN_FACTS.vma_file());
    if file != 0 {
        let start = read_u64(vma as u64, SCAN_FACTS.vma_start());
        select(seq, task as u64, file, start);
    }
    0
}

#[inline(always)]
fn select(seq: *mut seq_file, task: u64, file: u64, place: u64) {
    let Some(filter) = maps::FILE_FILTER.get(0) else {
        return;
    };
    let operations = read_u64(file, SCAN_FACTS.file_op());
    let release = read_u64(operations, SCAN_FACTS.op_release());
    if filter.file != 0 {
        if file != filter.file {
            return;
        }
    } else if release == 0 {
        return;
    } else if release == filter.socket_release {
        let socket = read_u64(file, SCAN_FACTS.file_private());
        let sock = read_u64(socket, SCAN_FACTS.socket_sk());
        if read_u64(sock, SCAN_FACTS.sock_family()) & 0xffff != filter.family {
            return;
        }
    } else if !filter.releases.contains(&release) {
        return;
    }
    let seen = FileSeen {
        file,
        pid_tgid: iterator::pid_tgid(task),
        place,
        release,
    };
    iterator::write(seq, &seen);
}
