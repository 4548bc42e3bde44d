//! Loads from kernel memory by `bpf_rdonly_cast` (kernel/bpf/helpers.c), a function that the kernel offers to programs
//! since 6.2. No present compiler and loader can call such a function.

/// Stands for the number of `bpf_rdonly_cast` in the programs, until user space replaces the placeholder.
pub const PLACEHOLDER: u32 = 0x7a57_0001;
