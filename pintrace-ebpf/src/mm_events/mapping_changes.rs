//! Records of changed mappings at addresses near an extent.

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid};
use pintrace_common::{
    limits,
    mm_events::{MappingChanged, mapping_change},
    wire,
};

use crate::{
    ledger::accounts,
    mm_events::range_filter,
    ring, stacks,
    syscall_args::{MREMAP, SyscallArgs},
};

/// A change of a mapping, as a hook sees the change.
#[derive(Clone, Copy)]
pub struct MappingChange {
    /// One of [`pintrace_common::mm_events::mapping_change`].
    pub what: u32,
    /// Address of the `mm_struct` or `address_space`.
    pub within: u64,
    /// First byte of the range.
    pub address: u64,
    /// End of the range, after its last byte.
    pub end: u64,
    /// Number of pages changed, where the kernel counts the pages.
    pub pages: u64,
    /// Value of [`MappingChanged::detail`].
    pub detail: u64,
    /// Time when the change began (monotonic ns); 0 for now.
    pub began_ns: u64,
}

/// Sends a record of a change if extents are near.
#[inline(always)]
pub fn emit(ctx: *mut c_void, change: &MappingChange) {
    if !range_filter::any()
        || range_filter::pintrace_filter_overlaps(change.within, change.address, change.end) == 0
    {
        return;
    }
    let header = wire::Header {
        kind: wire::kind::MAPPING_CHANGED,
        id: change.what,
        time_ns: if change.began_ns == 0 {
            accounts::time()
        } else {
            change.began_ns
        },
    };
    let call = SyscallArgs::current();
    let number = call.number();
    let detail = if change.what == mapping_change::UNMAP {
        u64::from(number == MREMAP && call.moves(change.address))
    } else {
        change.detail
    };
    ring::emit(MappingChanged {
        header,
        within: change.within,
        address: change.address,
        end: change.end,
        pages: change.pages,
        pid_tgid: bpf_get_current_pid_tgid(),
        stack: stacks::take(ctx),
        call: number,
        detail,
        comm: bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]),
    });
}
