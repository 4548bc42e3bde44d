//! The tracing programs for kernels with `bpf_loop` (5.17 and later). `without_bpf_loop.rs` builds the same programs
//! for older kernels. All differences are in `compat`, file by file.
//!
//! A program (`hooks`) claims the call ([`backup`]), reads its arguments and calls [`ledger::acquire`] or
//! [`ledger::release`]. Both walk the pages ([`ledger::walk`], [`folio`]) and keep the folio table
//! ([`ledger::folio_table`], [`ledger::multi_owner`]), the accounts and the extents. The hook or a separate program
//! takes the stack ([`stacks`]). User space injects offsets and enum values ([`facts`]); no code here compares kernel
//! versions.
#![no_std]
#![no_main]
#![expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_ptr_alignment,
    clippy::needless_pass_by_value,
    reason = "an object exports programs alone; registers are u64 and a context is a value; calls cost what a program does"
)]
#![feature(asm_experimental_arch)] // For backup.rs.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic operations, see atomic.rs")]

#[cfg(feature = "bench")]
mod bench;
#[path = "compat/with_bpf_loop/mod.rs"]
mod compat;
// Kernels without bpf_loop have no folio_add_pin.
#[path = "hooks/folio_add_pin.rs"]
mod folio_add_pin;
// Nor have they a function that migrates and can be hooked.
#[path = "hooks/migration.rs"]
mod migration;
#[path = "modules.rs"]
mod modules;
mod object;

#[expect(clippy::wildcard_imports, reason = "the list of modules is in one file")]
use modules::*;
