//! Reading kernel memory and the running task.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_task, bpf_probe_read_kernel, generated};

use crate::{facts::FACTS, rdonly_cast};

/// Reads kernel memory; `T` is plain numbers.
#[inline(always)]
pub fn read<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address; a fault is an error, not a crash.
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}

/// Reads what a pointer of the program's own leads to, without the verifier's knowing what it is.
#[inline(always)]
pub fn read_at<T>(place: *const u8) -> Option<T> {
    // SAFETY: as above.
    unsafe { bpf_probe_read_kernel(place.cast::<T>()) }.ok()
}

/// Reads a u64 of kernel memory.
#[inline(always)]
pub fn read_u64(address: u64) -> Option<u64> {
    match rdonly_cast::u64_at(address) {
        None | Some(0) => read(address),
        value => value,
    }
}

/// Reads a u32 of kernel memory.
#[inline(always)]
pub fn read_u32(address: u64) -> Option<u32> {
    match rdonly_cast::u32_at(address) {
        None | Some(0) => read(address),
        value => value,
    }
}

/// A u64 of kernel memory; 0 if it cannot be read.
///
/// Not [`read_u64`] with a 0 instead of nothing: the compiler computes with what a failed reading leaves undefined before
/// it throws that away, and the verifier refuses to read such a register.
#[inline(always)]
pub fn u64_at(address: u64) -> u64 {
    if let Some(value) = rdonly_cast::u64_at(address) {
        return value;
    }
    let mut value = 0u64;
    // SAFETY: a valid destination; a fault is an error, not a crash, and leaves zeros.
    unsafe { generated::bpf_probe_read_kernel((&raw mut value).cast(), 8, address as *const _) };
    value
}

/// A u32 of kernel memory; 0 if it cannot be read.
#[inline(always)]
pub fn u32_at(address: u64) -> u32 {
    if let Some(value) = rdonly_cast::u32_at(address) {
        return value;
    }
    let mut value = 0u32;
    // SAFETY: as above.
    unsafe { generated::bpf_probe_read_kernel((&raw mut value).cast(), 4, address as *const _) };
    value
}

/// Address space of the running task; 0 for a kernel thread.
#[inline(always)]
pub fn current_mm() -> u64 {
    let task = current_task();
    u64_at(task + u64::from(FACTS.task_mm()))
}

/// The running task's `task_struct`.
#[inline(always)]
pub fn current_task() -> u64 {
    // SAFETY: no arguments, always allowed.
    unsafe { bpf_get_current_task() }
}

/// Whether this runs on the stack of the running task, and not on an interrupt's: only then has
/// the task itself called the traced function.
#[inline(always)]
pub fn on_task_stack(ctx: *mut c_void) -> bool {
    let slot = ctx as u64;
    // Through memory, so that the verifier forgets that this number is a pointer.
    let Some(here) = read_u64(&raw const slot as u64) else {
        return false;
    };
    let Some(stack) = read_u64(current_task() + u64::from(FACTS.task_stack())) else {
        return false;
    };
    here.wrapping_sub(stack) < u64::from(FACTS.thread_size())
}
