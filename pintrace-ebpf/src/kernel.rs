//! Reads kernel memory and the running task.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_task, bpf_probe_read_kernel, generated};

use crate::{
    facts::{FACTS, MM_EVENT_FACTS},
    rdonly_cast,
};

/// Reads kernel memory. `T` consists of plain numbers.
#[inline(always)]
pub fn read<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address. A fault is an error, not a crash.
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}

/// Reads memory at a pointer of the program, for instance into the context, as plain numbers to the verifier.
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

/// Returns a u64 of kernel memory; 0 if the memory cannot be read.
///
/// The function is not [`read_u64`] with a default of 0: the compiler would compute with the register that a failed
/// read leaves undefined, and the verifier refuses to read such a register.
#[inline(always)]
pub fn u64_at(address: u64) -> u64 {
    if let Some(value) = rdonly_cast::u64_at(address) {
        return value;
    }
    let mut value = 0u64;
    // SAFETY: a valid destination. A fault is an error, not a crash, and leaves zeros.
    unsafe { generated::bpf_probe_read_kernel((&raw mut value).cast(), 8, address as *const _) };
    value
}

/// Returns a u32 of kernel memory; 0 if the memory cannot be read.
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

/// Returns the `mm_struct` of a `vm_area_struct`.
#[inline(always)]
pub fn mm_of(vma: u64) -> u64 {
    u64_at(vma + MM_EVENT_FACTS.vma_mm())
}

/// Returns the `mm_struct` of the running task; 0 for a kernel thread.
#[inline(always)]
pub fn current_mm() -> u64 {
    let task = current_task();
    u64_at(task + u64::from(FACTS.task_mm()))
}

/// Returns the `task_struct` of the running task.
#[inline(always)]
pub fn current_task() -> u64 {
    // SAFETY: no arguments, always allowed.
    unsafe { bpf_get_current_task() }
}

/// Returns true if the program runs on the stack of the running task, and not on an interrupt's stack. Only then has
/// the task itself called the traced function.
#[inline(always)]
pub fn on_task_stack(ctx: *mut c_void) -> bool {
    let slot = ctx as u64;
    // The helper copies the number, so that the verifier forgets that the number is a pointer.
    let Some(here) = read_u64(&raw const slot as u64) else {
        return false;
    };
    let Some(stack) = read_u64(current_task() + u64::from(FACTS.task_stack())) else {
        return false;
    };
    here.wrapping_sub(stack) < u64::from(FACTS.thread_size())
}
