//! The tracing programs for kernels from 5.10 to 5.16. Those kernels have no `bpf_loop` (5.17), no helpers for the
//! frame of a trampoline (5.17), and before 5.12 no compare-and-swap in BPF. All modules but `compat` are the modules
//! of `main.rs`.
#![no_std]
#![no_main]
#![expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::needless_pass_by_value,
    reason = "an object exports programs alone; registers are u64 and a context is a value; calls cost what a program does"
)]
#![feature(asm_experimental_arch)] // For backup.rs.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic operations, see atomic.rs")]

#[path = "compat/without_bpf_loop/mod.rs"]
mod compat;
#[path = "modules.rs"]
mod modules;
mod object;

#[expect(clippy::wildcard_imports, reason = "the list of modules is in one file")]
use modules::*;
