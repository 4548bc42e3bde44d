//! Marks on extents of which it is not known any more what is left: what findings may claim of them is less.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use pintrace_common::{
    ledger::{EXTENT_BIT, Extent, SHARED_CELLS},
    wire,
};

use crate::{accounts, maps, ring, shared, watch::call::Call};

/// Marks an extent as not whole, unless the call that pins is still under way: of a buffer in large folios, io_uring gives all
/// pins but one for each folio back at once, and goes on using all of it (`io_check_coalesce_buffer`, io_uring/rsrc.c).
#[inline(always)]
pub fn shrunk(index: u32, extent: *mut Extent) {
    // SAFETY: a live map value.
    let (flags, account, call) = unsafe { ((*extent).flags, (*extent).account, (*extent).call) };
    if flags & Extent::SHRUNK != 0 {
        return;
    }
    let own = maps::ACCOUNTS
        .get(account)
        .is_some_and(|account| account.key.pid_tgid == bpf_get_current_pid_tgid());
    if !own || call == 0 || Call::now().identity() != call {
        mark(index, extent, Extent::SHRUNK);
    }
}

/// Marks an extent and tells it, the first time; two CPUs may both be first.
#[inline(always)]
fn mark(index: u32, extent: *mut Extent, mark: u32) {
    // SAFETY: a live map value; no bit is ever taken back while the extent is open.
    unsafe {
        let flags = (&raw const (*extent).flags).read_volatile();
        if flags & mark == mark {
            return;
        }
        (&raw mut (*extent).flags).write_volatile(flags | mark);
    }
    let header = wire::Header {
        kind: wire::kind::EXTENT_SHRINKS,
        id: index,
        time_ns: accounts::time(),
    };
    let doubtful = u64::from(mark & Extent::DOUBTFUL != 0);
    ring::emit(wire::ExtentShrinks { header, doubtful });
}

/// A release from a folio of several holders was given to one of them by rule: of those that are extents, none is sure to
/// have what it seems to have.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_doubt(head: u64) -> u32 {
    let mut cell = 0;
    while cell < SHARED_CELLS as u32 {
        if let Some(holder) = shared::holder(head, cell as usize)
            && holder & EXTENT_BIT != 0
            && let Some(extent) = maps::EXTENTS.get_ptr_mut(holder & !EXTENT_BIT)
        {
            mark(holder & !EXTENT_BIT, extent, Extent::MARKS);
        }
        cell += 1;
    }
    0
}
