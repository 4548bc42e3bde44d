//! Arguments and results of traced functions, read out of the trampoline's frame: the helpers came with 5.17.
//!
//! The frame (arch/x86/net/bpf_jit_comp.c of 5.10, `arch_prepare_bpf_trampoline`) holds, from the context upwards:
//! the arguments, the return value, the saved frame pointer, the return address into the traced function, and then
//! the caller's. The program has to know the number of arguments.

use core::ffi::c_void;

use crate::kernel;

#[inline(always)]
fn word(ctx: *mut c_void, n: u32) -> Option<u64> {
    // Read as memory: the verifier would track a pointer taken from the context itself, and forbid the arithmetic
    // that pages need.
    kernel::read_at((ctx as *const u8).wrapping_add(n as usize * 8))
}

/// The `n`th argument of a traced function, as a number.
#[inline(always)]
pub fn argument(ctx: *mut c_void, n: u32) -> u64 {
    word(ctx, n).unwrap_or(0)
}

/// Return address in the function that called the traced one, which has so many arguments; 0 if it cannot be read.
#[inline(always)]
pub fn caller(ctx: *mut c_void, arguments: u32) -> u64 {
    word(ctx, arguments + 3).unwrap_or(0)
}

/// What a traced function of so many arguments returned.
#[inline(always)]
pub fn result(ctx: *mut c_void, arguments: u32) -> Option<u64> {
    word(ctx, arguments)
}
