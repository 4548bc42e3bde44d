//! Comparisons without branches. The verifier follows each branch, and the branches of several comparisons in a row
//! multiply.

use core::arch::asm;

/// Returns 1 if two numbers are equal, else 0.
#[inline(always)]
pub fn equal(a: u64, b: u64) -> u64 {
    let mut difference = a ^ b;
    // SAFETY: no instruction at all. The compiler does not know the value after it, and so makes no branch of the
    // arithmetic.
    unsafe { asm!("/* {0} */", inlateout(reg) difference, options(pure, nomem, nostack)) };
    ((difference | difference.wrapping_neg()) >> 63) ^ 1
}
