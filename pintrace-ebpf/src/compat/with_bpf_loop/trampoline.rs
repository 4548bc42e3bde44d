//! Arguments and results of traced functions, by the helpers that kernels have since 5.17.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{
    bpf_get_func_arg, bpf_get_func_arg_cnt, bpf_get_func_ip, bpf_get_func_ret,
};

use crate::kernel;

/// Returns argument `n` of a traced function, as a number. The verifier would track a pointer that is loaded from the
/// context itself, and forbid the arithmetic that pages need.
#[inline(always)]
pub fn argument(ctx: *mut c_void, n: u32) -> u64 {
    let mut value = 0u64;
    // SAFETY: the context of a tracing program and a valid destination. An index out of range leaves 0 in place.
    unsafe { bpf_get_func_arg(ctx, n, &raw mut value) };
    value
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
    // SAFETY: as above.
    let function = unsafe { bpf_get_func_ip(ctx) };
    let frame = (ctx as *const u8).wrapping_add(arguments as usize * 8 + 16);
    match kernel::read_at::<[u64; 2]>(frame) {
        Some([into, caller]) if into.wrapping_sub(function) < 64 => caller,
        Some([caller, _]) => caller,
        None => 0,
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
