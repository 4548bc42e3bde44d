//! Records of changed mappings at addresses near an extent.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::map,
    maps::HashMap,
};
use pintrace_common::{
    counters::Loss,
    limits,
    mm_events::{MappingChanged, SuppressedChanges, mapping_change},
    wire,
};

use crate::map_ref::{Lookup, word};
use crate::{
    clock,
    compat::loops::HASH_FLAGS,
    count,
    mm_events::range_filter::{self, allowed},
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

/// Changes without a record, by process. User space removes the entries of processes that have ended.
#[map]
static SUPPRESSED_CHANGES: HashMap<u32, SuppressedChanges> =
    HashMap::with_max_entries(limits::SUPPRESSED_CHANGES, HASH_FLAGS);

/// Counts a change without a record for the running process.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_suppress() -> u32 {
    count::loss(Loss::ChangesSuppressed, 1);
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    if SUPPRESSED_CHANGES.at(tgid).is_none() {
        let fresh = SuppressedChanges {
            changes: 0,
            comm: bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]),
        };
        // Another thread may make the entry first.
        let _ = SUPPRESSED_CHANGES.insert(tgid, fresh, u64::from(BPF_NOEXIST));
    }
    match SUPPRESSED_CHANGES.at(tgid) {
        Some(suppressed) => word!(suppressed.changes).add(1),
        None => count::loss(Loss::MmEventTableFull, 1),
    }
    0
}

/// Sends a record of a change if extents are near.
#[inline(always)]
pub fn emit(ctx: *mut c_void, change: &MappingChange) {
    if !range_filter::any()
        || range_filter::pintrace_filter_overlaps(change.within, change.address, change.end) == 0
    {
        return;
    }
    let allowed = range_filter::pintrace_allow_record(change.within, change.what);
    if allowed == allowed::NO {
        pintrace_suppress();
        return;
    }
    let header = wire::Header {
        kind: wire::kind::MAPPING_CHANGED,
        id: change.what,
        time_ns: if change.began_ns == 0 {
            clock::time()
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
        unmaps_suppressed: u64::from(allowed == allowed::AFTER_UNMAP),
        comm: bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]),
    });
}
