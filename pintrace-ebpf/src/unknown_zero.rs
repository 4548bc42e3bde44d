//! A zero whose value the verifier does not know.

/// Is never written. A global that user space could write is unknown to the verifier.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.zero")]
static mut UNKNOWN_ZERO: u64 = 0;

/// Returns a zero whose value the verifier does not know.
///
/// Up to 6.6 the verifier follows a bpf_loop callback once, with the stack of the moment of the call. The verifier
/// would take a known zero on that stack for zero in every iteration, and drop the code for other values. Each zero is
/// read separately, because the verifier would take copies of one zero for equal in all iterations, and follow every
/// combination.
#[inline(always)]
pub fn unknown_zero() -> u64 {
    // SAFETY: a live, aligned global that is never written.
    unsafe { (&raw const UNKNOWN_ZERO).read_volatile() }
}
