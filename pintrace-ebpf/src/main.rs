//! pintrace's eBPF programs, for kernels since 5.17. `elder.rs` builds the same for older ones: what differs is in
//! the folders `modern` and `elder`, file by file.
//!
//! A hook (`hooks_*`) asks whether it is its turn ([`turns`]), reads its arguments and calls
//! [`acquire`] or [`release`]; these walk the pages ([`walk`], [`page`]), keep the folio table
//! ([`folios`], [`shared`]) and the books of who holds what ([`accounts`], [`extents`]). Stacks are taken
//! at once or by a program of their own ([`stacks`]). Offsets and enum values are injected ([`facts`]);
//! nothing here knows a kernel version.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)] // See turns.rs.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic operations, see atomic.rs")]

mod accounts;
mod acquire;
mod atomic;
#[cfg(feature = "bench")]
mod bench;
#[cfg(feature = "bench")]
mod bench_tables;
mod calls;
mod count;
mod doubt;
#[path = "modern/exchange.rs"]
mod exchange;
mod exit;
mod extents;
mod facts;
mod folios;
mod holders;
mod hooks_call;
mod hooks_more;
mod hooks_pin;
mod hooks_probe;
mod hooks_unpin;
mod in_place;
mod kernel;
#[path = "modern/locks.rs"]
mod locks;
mod log;
#[path = "modern/loops.rs"]
mod loops;
mod maps;
mod mend;
mod page;
mod pin_call;
mod release;
mod ring;
mod shared;
mod stacks;
#[path = "modern/syscall.rs"]
mod syscall;
mod taken;
#[path = "modern/trampoline.rs"]
mod trampoline;
mod trial;
mod turns;
mod walk;
mod watch;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
