//! Arguments and results of traced functions, by the helpers that kernels have since 5.17.

use core::{arch::asm, ffi::c_void};

use aya_ebpf::helpers::generated::{
    bpf_get_func_arg, bpf_get_func_arg_cnt, bpf_get_func_ip, bpf_get_func_ret,
};

use crate::{kernel, rdonly_cast::Words};

/// Returns argument `n` of a traced function, as a number. The verifier would track a pointer that is loaded from the
/// context itself, and forbid the arithmetic that pages need.
#[inline(always)]
pub fn argument(ctx: *mut c_void, n: u32) -> u64 {
    let mut value = 0u64;
    // SAFETY: the context of a tracing program and a valid destination. An index out of range leaves 0 in place.
    unsafe { bpf_get_func_arg(ctx, n, &raw mut value) };
    value
}

/// Returns argument `n`, whose type is an integer in every kernel, by a plain load.
#[inline(always)]
pub fn integer(ctx: *mut c_void, n: u32) -> u64 {
    // SAFETY: the verifier knows the function's arguments, and checks the load.
    unsafe { ctx.cast::<u64>().add(n as usize).read_volatile() }
}

/// Returns argument `n`, whose type is a pointer to a struct in every kernel, as a number.
#[inline(always)]
pub fn address(ctx: *mut c_void, n: u32) -> u64 {
    match Words::at(0) {
        Some(Words(null)) => {
            // SAFETY: the verifier knows the function's arguments, and checks the load.
            let pointer = unsafe { ctx.cast::<*const u64>().add(n as usize).read_volatile() };
            let mut number = pointer as u64;
            // The difference of two pointers is a number to the verifier, so an address is its difference from null.
            // SAFETY: a subtraction.
            unsafe { asm!("{} -= {}", inout(reg) number, in(reg) null, options(pure, readonly, nostack)) };
            number
        }
        None => argument(ctx, n),
    }
}

/// Returns the return address in the caller of the traced function, or 0.
///
/// The trampoline's frame (arch/x86/net/bpf_jit_comp.c, `arch_prepare_bpf_trampoline`) contains, from the context
/// upwards: the arguments, the return value, the saved frame pointer, the return address into the traced function, and
/// the return address into the caller. Newer kernels (seen on 7.3) jump to a trampoline that calls the traced function
/// itself, and have no return address into the traced function there. Any other address has no name among the kernel's
/// symbols, and names no subsystem.
#[inline(always)]
pub fn caller(ctx: *mut c_void, _arguments: u32) -> u64 {
    // SAFETY: the context of a tracing program.
    let arguments = unsafe { bpf_get_func_arg_cnt(ctx) } as u64 & 15;
    let frame = (ctx as *const u8).wrapping_add(arguments as usize * 8 + 16);
    let addresses = match Words::at_pointer(frame) {
        Some(words) => [words.word::<0>(), words.word::<1>()],
        None => kernel::read_at::<[u64; 2]>(frame).unwrap_or([0; 2]),
    };
    caller_of(ctx, addresses)
}

/// Returns the one of the two words above the saved frame pointer that is the return address in the caller.
#[inline(always)]
pub fn caller_of(ctx: *mut c_void, [first, second]: [u64; 2]) -> u64 {
    // SAFETY: the context of a tracing program.
    let function = unsafe { bpf_get_func_ip(ctx) };
    if first.wrapping_sub(function) < 64 {
        second
    } else {
        first
    }
}

/// Returns the same for a program on entry, twice: on kernels before 5.17 there are two candidates.
#[inline(always)]
pub fn callers_at_entry(ctx: *mut c_void, arguments: u32) -> [u64; 2] {
    [caller(ctx, arguments); 2]
}

/// Returns the result of a traced function.
#[inline(always)]
pub fn result(ctx: *mut c_void, _arguments: u32) -> Option<u64> {
    let mut value = 0u64;
    // SAFETY: the context of a program on return, and a valid destination.
    let error = unsafe { bpf_get_func_ret(ctx, &raw mut value) };
    (error == 0).then_some(value)
}
