//! The modules that both objects with tracing programs share. Their roots (`main.rs`, `without_bpf_loop.rs`) add
//! `compat`, the only part that differs.

pub mod atomic;
pub mod backup;
pub mod branchless;
pub mod clock;
pub mod count;
pub mod facts;
pub mod feature_probe;
pub mod folio;
pub mod hooks;
pub mod kernel;
pub mod kprobe_registers;
pub mod ledger;
pub mod log;
pub mod map_ref;
pub mod maps;
pub mod mm_events;
pub mod observer;
pub mod preemption;
pub mod rdonly_cast;
pub mod ring;
pub mod stacks;
pub mod syscall_args;
pub mod test_pins;
pub mod unknown_zero;
