//! The programs of scan mode. User space runs the programs; no program is attached.
//!
//! `scan` reads all struct pages of a range and returns the pinned folios. `scan_rdonly_cast` does the same faster on
//! kernels with `bpf_rdonly_cast`. `tasks` lists the tasks, `descriptors` and `mappings` list the open files that can hold
//! pins. `probe_read` and `read_block` read kernel memory. All programs but `scan_rdonly_cast` and `mappings` run on 5.10
//! and later.
#![no_std]
#![no_main]
#![expect(
    unreachable_pub,
    clippy::inline_always,
    clippy::cast_possible_truncation,
    clippy::cast_ptr_alignment,
    clippy::needless_pass_by_value,
    reason = "an object exports programs alone; registers are u64 and a context is a value; calls cost what a program does"
)]

mod blocks;
mod chunk;
mod facts;
mod files;
mod folio;
mod iterator;
mod maps;
mod probe_read;
mod probe_read_chunk;
mod rdonly_cast;
mod tasks;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
