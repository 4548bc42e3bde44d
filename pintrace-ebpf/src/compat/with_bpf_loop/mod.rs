//! Kernel interfaces that only kernels since 5.17 offer.

pub mod exchange;
pub mod locks;
pub mod loops;
pub mod pt_regs;
pub mod retries;
pub mod trampoline;
