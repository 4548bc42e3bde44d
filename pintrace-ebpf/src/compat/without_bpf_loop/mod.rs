//! Substitutes for the kernel interfaces that `with_bpf_loop` uses.

pub mod exchange;
pub mod locks;
pub mod loops;
pub mod pt_regs;
pub mod retries;
pub mod trampoline;
