//! Arguments and results of traced functions, read from the trampoline's frame, because kernels before 5.17 have no
//! helpers.
//!
//! The frame (arch/x86/net/bpf_jit_comp.c of 5.10, `arch_prepare_bpf_trampoline`) contains, from the context upwards:
//! the arguments, the return value, the saved frame pointer, the return address into the traced function, and the
//! return address into the caller. The program has to know the number of arguments.

use core::ffi::c_void;

use crate::kernel;

#[inline(always)]
fn word(ctx: *mut c_void, n: u32) -> Option<u64> {
    // The helper copies the word, because the verifier would track a pointer that is loaded from the context itself,
    // and forbid the arithmetic that pages need.
    kernel::read_at((ctx as *const u8).wrapping_add(n as usize * 8))
}

/// Returns argument `n` of a traced function, as a number.
#[inline(always)]
pub fn argument(ctx: *mut c_void, n: u32) -> u64 {
    word(ctx, n).unwrap_or(0)
}

/// Returns argument `n`, whose type is an integer.
#[inline(always)]
pub fn integer(ctx: *mut c_void, n: u32) -> u64 {
    argument(ctx, n)
}

/// Returns argument `n`, whose type is a pointer to a struct, as a number.
#[inline(always)]
pub fn address(ctx: *mut c_void, n: u32) -> u64 {
    argument(ctx, n)
}

/// Returns the return address in the caller of a traced function with `arguments` arguments, for a program on return; 0 if
/// unreadable.
#[inline(always)]
pub fn caller(ctx: *mut c_void, arguments: u32) -> u64 {
    word(ctx, arguments + 3).unwrap_or(0)
}

/// Returns the return address in the caller of the two words above the saved frame pointer.
#[inline(always)]
pub fn caller_of(_ctx: *mut c_void, [_, caller]: [u64; 2]) -> u64 {
    caller
}

/// Returns two addresses for a program on entry: the return address in the caller is the first of them that is not in the
/// traced function. The frame has no return value unless a program on return is attached to the function as well.
#[inline(always)]
pub fn callers_at_entry(ctx: *mut c_void, arguments: u32) -> [u64; 2] {
    [2, 3].map(|behind| word(ctx, arguments + behind).unwrap_or(0))
}

/// Returns the result of a traced function with `arguments` arguments.
#[inline(always)]
pub fn result(ctx: *mut c_void, arguments: u32) -> Option<u64> {
    word(ctx, arguments)
}
