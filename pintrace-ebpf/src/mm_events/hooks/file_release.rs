//! Hooks on the release functions of files whose pins a worker releases later: the last reference to the file is gone.

use core::ffi::c_void;

use aya_ebpf::{EbpfContext, macros::fentry, programs::FEntryContext};
use pintrace_common::wire;

use crate::{
    backup::Role,
    clock,
    compat::trampoline,
    facts::MM_EVENT_FACTS,
    kernel,
    ledger::state::gate_is_open,
    mm_events::{range_filter, with_backup},
    ring,
};

/// Runs on entry of io_uring_release(inode, file) (io_uring/io_uring.c).
#[inline(always)]
fn ring_released(role: Role, raw: *mut c_void) -> i32 {
    released(role, raw, || trampoline::argument(raw, 1))
}

/// Runs on entry of xsk_release(socket) (net/xdp/xsk.c).
#[inline(always)]
fn socket_released(role: Role, raw: *mut c_void) -> i32 {
    released(role, raw, || {
        kernel::u64_at(trampoline::argument(raw, 0) + MM_EVENT_FACTS.socket_file())
    })
}

#[inline(always)]
fn released(role: Role, raw: *mut c_void, file: impl Fn() -> u64) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    if !gate_is_open() || !range_filter::any() {
        return 0;
    }
    let header = wire::Header {
        kind: wire::kind::FILE_RELEASED,
        id: 0,
        time_ns: clock::time(),
    };
    ring::emit(wire::FileReleased { header, file: file() });
    0
}

with_backup! {
    fentry FEntryContext enter_io_uring_release enter_io_uring_release_backup => ring_released;
    fentry FEntryContext enter_xsk_release enter_xsk_release_backup => socket_released;
}
