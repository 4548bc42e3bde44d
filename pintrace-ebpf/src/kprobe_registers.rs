//! The registers at the entry of a function with a kprobe, by the calling convention of the processor. aya-build sets
//! `bpf_target_arch`.
#![expect(
    unexpected_cfgs,
    reason = "aya-build declares bpf_target_arch for its own crates only"
)]

use aya_ebpf::programs::ProbeContext;

/// Returns the first six arguments. The loads are volatile, because the compiler would merge loads from two fixed places
/// into one load from a variable place, which the verifier forbids.
#[cfg(not(bpf_target_arch = "aarch64"))]
#[inline(always)]
pub fn arguments(ctx: &ProbeContext) -> [u64; 6] {
    let regs = ctx.regs;
    // SAFETY: the registers of the probed function.
    unsafe {
        [
            (&raw const (*regs).rdi).read_volatile(),
            (&raw const (*regs).rsi).read_volatile(),
            (&raw const (*regs).rdx).read_volatile(),
            (&raw const (*regs).rcx).read_volatile(),
            (&raw const (*regs).r8).read_volatile(),
            (&raw const (*regs).r9).read_volatile(),
        ]
    }
}

/// Returns the first six arguments. The loads are volatile, as for x86-64.
#[cfg(bpf_target_arch = "aarch64")]
#[inline(always)]
pub fn arguments(ctx: &ProbeContext) -> [u64; 6] {
    let regs = ctx.regs;
    // SAFETY: the registers of the probed function.
    unsafe {
        [
            (&raw const (*regs).regs[0]).read_volatile(),
            (&raw const (*regs).regs[1]).read_volatile(),
            (&raw const (*regs).regs[2]).read_volatile(),
            (&raw const (*regs).regs[3]).read_volatile(),
            (&raw const (*regs).regs[4]).read_volatile(),
            (&raw const (*regs).regs[5]).read_volatile(),
        ]
    }
}

/// Returns the return address, which lies on the stack.
#[cfg(not(bpf_target_arch = "aarch64"))]
#[inline(always)]
pub fn caller(ctx: &ProbeContext) -> u64 {
    // SAFETY: the registers of the probed function.
    let stack = unsafe { (*ctx.regs).rsp };
    crate::kernel::u64_at(stack)
}

/// Returns the return address, which is in the link register.
#[cfg(bpf_target_arch = "aarch64")]
#[inline(always)]
pub fn caller(ctx: &ProbeContext) -> u64 {
    // SAFETY: the registers of the probed function.
    unsafe { (*ctx.regs).regs[30] }
}
