//! Functions that the iterators share.

use aya_ebpf::{
    bindings::seq_file,
    helpers::generated::{bpf_probe_read_kernel, bpf_seq_write},
};

use crate::facts::SCAN_FACTS;

/// Beginning of `struct bpf_iter_meta`.
#[repr(C)]
pub struct Meta {
    /// The file that user space reads.
    pub seq: *mut seq_file,
}

/// Writes a record. If the buffer is full, the kernel repeats the object.
#[inline(always)]
pub fn write<T: Copy>(seq: *mut seq_file, record: &T) {
    // SAFETY: the record has the length that is passed.
    unsafe {
        bpf_seq_write(
            seq,
            core::ptr::from_ref(record).cast_mut().cast(),
            size_of::<T>() as u32,
        )
    };
}

/// Returns the ids of a task: tgid << 32 | tid.
#[inline(always)]
pub fn pid_tgid(task: u64) -> u64 {
    let id = |offset| read_u64(task, offset) & 0xffff_ffff;
    id(SCAN_FACTS.task_tgid()) << 32 | id(SCAN_FACTS.task_pid())
}

/// Returns a u64 of kernel memory, or 0 if the memory cannot be read.
#[inline(always)]
pub fn read_u64(base: u64, offset: u32) -> u64 {
    let mut value = 0u64;
    // SAFETY: the helper checks the address. A fault is an error, not a crash.
    unsafe { bpf_probe_read_kernel((&raw mut value).cast(), 8, (base + u64::from(offset)) as *const _) };
    value
}
