//! Reading the kernel's memory in place, by a function that it offers to programs since 6.2 (`bpf_rdonly_cast`,
//! kernel/bpf/helpers.c) and that no compiler and no loader of today can call.

/// Stands in the programs for the number of that function, until user space has put it there.
pub const PLACEHOLDER: u32 = 0x7a57_0001;
