//! pintrace's eBPF programs, for kernels from 5.10 to 5.16: those have no compare-and-swap in BPF, no `bpf_loop`
//! and no helpers for a trampoline's frame. All else is as in `main.rs`.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)] // See turns.rs.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic operations, see atomic.rs")]

mod accounts;
mod acquire;
mod atomic;
mod calls;
mod count;
mod doubt;
#[path = "elder/exchange.rs"]
mod exchange;
mod exit;
mod extents;
mod facts;
mod folios;
mod holders;
mod hooks_call;
mod hooks_pin;
mod hooks_probe;
mod hooks_unpin;
mod in_place;
mod kernel;
#[path = "elder/locks.rs"]
mod locks;
mod log;
#[path = "elder/loops.rs"]
mod loops;
mod maps;
mod mend;
mod page;
mod pin_call;
mod release;
mod ring;
mod shared;
mod stacks;
#[path = "elder/syscall.rs"]
mod syscall;
mod taken;
#[path = "elder/trampoline.rs"]
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
