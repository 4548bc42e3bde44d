//! Comparisons without branches. The verifier follows each branch, and the branches of several comparisons in a row
//! multiply.

use core::arch::asm;

/// Returns 1 if two numbers are equal, else 0.
#[inline(always)]
pub fn equal(a: u64, b: u64) -> u64 {
    let mut difference = a;
    // One real instruction: LLVM gives also a template that is a comment a line in .BTF.ext, and the kernel refuses two
    // lines of one instruction ("Invalid line_info", check_btf_line in kernel/bpf/verifier.c).
    // SAFETY: only computes `a ^ b`. The compiler does not know the result, and so makes no branch of the arithmetic.
    unsafe { asm!("{0} ^= {1}", inlateout(reg) difference, in(reg) b, options(pure, nomem, nostack)) };
    ((difference | difference.wrapping_neg()) >> 63) ^ 1
}
