//! Reading kernel memory and the running task.

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_get_current_task, bpf_probe_read_kernel,
    generated::{bpf_get_func_arg, bpf_get_func_arg_cnt, bpf_get_func_ip},
};

use crate::facts;

/// Reads a u64 of kernel memory.
#[inline(always)]
pub fn read_u64(address: u64) -> Option<u64> {
    // SAFETY: the helper checks the address; a fault is an error, not a crash.
    unsafe { bpf_probe_read_kernel(address as *const u64) }.ok()
}

/// Reads a u32 of kernel memory.
#[inline(always)]
pub fn read_u32(address: u64) -> Option<u32> {
    // SAFETY: the helper checks the address; a fault is an error, not a crash.
    unsafe { bpf_probe_read_kernel(address as *const u32) }.ok()
}

/// The `n`th argument of a traced function, as a number: the verifier would track a pointer taken
/// from the context itself, and forbid the arithmetic that pages need.
#[inline(always)]
pub fn argument(ctx: *mut c_void, n: u32) -> u64 {
    let mut value = 0u64;
    // SAFETY: the context of a tracing program and a valid destination; an index out of range
    // leaves 0 in place.
    unsafe { bpf_get_func_arg(ctx, n, &raw mut value) };
    value
}

/// Return address in the function that called the traced one, or 0.
///
/// The trampoline's frame (arch/x86/net/bpf_jit_comp.c, `arch_prepare_bpf_trampoline`) holds, from
/// the context upwards: the arguments, the return value, the saved frame pointer, the return
/// address into the traced function, and then the caller's. Newer kernels (seen on 7.3) jump to a trampoline that
/// calls the traced function itself, and leave out the address into that. An address that is neither has
/// no name among the kernel's symbols, and names no subsystem.
#[inline(always)]
pub fn caller(ctx: *mut c_void) -> u64 {
    // SAFETY: the context of a tracing program.
    let arguments = unsafe { bpf_get_func_arg_cnt(ctx) } as u64 & 15;
    // SAFETY: as above.
    let function = unsafe { bpf_get_func_ip(ctx) };
    let frame = (ctx as *const u8).wrapping_add(arguments as usize * 8 + 16);
    // SAFETY: the helper checks the address.
    match unsafe { bpf_probe_read_kernel(frame.cast::<[u64; 2]>()) } {
        Ok([into, caller]) if into.wrapping_sub(function) < 64 => caller,
        Ok([caller, _]) => caller,
        Err(_) => 0,
    }
}

/// Address space of the running task; 0 for a kernel thread.
#[inline(always)]
pub fn current_mm() -> u64 {
    let task = current_task();
    read_u64(task + u64::from(facts::task_mm())).unwrap_or(0)
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
    let Some(stack) = read_u64(current_task() + u64::from(facts::task_stack())) else {
        return false;
    };
    here.wrapping_sub(stack) < u64::from(facts::thread_size())
}
