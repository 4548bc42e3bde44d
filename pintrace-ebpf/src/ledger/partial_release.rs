//! Marks extents whose remaining pages are not known exactly. Findings claim less about such extents.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use pintrace_common::{ledger::Extent, wire};

use crate::map_ref::{MapRef, get};
use crate::{clock, ledger::changed_extents, maps, ring, syscall_args::SyscallArgs};

/// Marks an extent as partially released, unless the release is in the system call that pinned. For a buffer in large
/// folios, io_uring releases all pins but one of each folio at once and continues to use the whole buffer
/// (`io_check_coalesce_buffer`, io_uring/rsrc.c).
#[inline(always)]
pub fn released_some(index: u32, extent: MapRef<Extent>) {
    let (flags, account, call) = (get!(extent.flags), get!(extent.account), get!(extent.call));
    if flags & Extent::PARTIALLY_RELEASED != 0 {
        return;
    }
    let own = maps::ACCOUNTS
        .get(account)
        .is_some_and(|account| account.key.pid_tgid == bpf_get_current_pid_tgid());
    if !own || call == 0 || SyscallArgs::current().identity() != call {
        mark(index, extent, Extent::PARTIALLY_RELEASED);
    }
}

/// Marks an extent, and sends a record the first time. Two CPUs may both send the record.
#[inline(always)]
pub fn mark(index: u32, extent: MapRef<Extent>, mark: u32) {
    // SAFETY: a live map value. No bit is cleared while the extent is open.
    unsafe {
        let flags = (&raw const (*extent.as_ptr()).flags).read_volatile();
        if flags & mark == mark {
            return;
        }
        (&raw mut (*extent.as_ptr()).flags).write_volatile(flags | mark);
    }
    changed_extents::mark(index);
    let header = wire::Header {
        kind: wire::kind::EXTENT_MARKED,
        id: index,
        time_ns: clock::time(),
    };
    ring::emit(wire::ExtentMarked {
        header,
        marks: u64::from(mark),
    });
}
