//! References by `FOLL_GET`, which are no pins: vmsplice, MSG_ZEROCOPY, and direct I/O up to 6.4. The hooks follow
//! references only on request.
//!
//! The kernel drops such a reference like any other, and no hook sees the drop. So the table keeps the latest reference
//! to each small folio. When the folio is copied, its reference count shows whether a holder other than the kernel is
//! left.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    helpers::bpf_get_current_pid_tgid,
    macros::{fexit, map},
    maps::LruHashMap,
    programs::FExitContext,
};
use pintrace_common::{counters::Loss, limits, mm_events::Reference};

use crate::map_ref::Lookup;
use crate::{
    backup::Role,
    compat::trampoline,
    count,
    facts::{FACTS, MM_EVENT_FACTS},
    folio::Folio,
    kernel,
    ledger::{accounts, acquire::gate_is_open},
    mm_events::{pinned_mms, with_backup},
    stacks,
};

/// References by the address of the head page. The loader makes the map small if references are not followed.
#[map]
static FOLL_GET_FOLIOS: LruHashMap<u64, Reference> = LruHashMap::with_max_entries(limits::FOLL_GET_FOLIOS, 0);

/// Runs on return of get_user_pages_fast(start, nr_pages, gup_flags, pages) (mm/gup.c).
#[inline(always)]
fn taken(role: Role, raw: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    if !gate_is_open() {
        return 0;
    }
    let pages = trampoline::result(raw, 4).unwrap_or(0) as i32;
    if pages <= 0 {
        return 0;
    }
    pinned_mms::add(0);
    refer(
        trampoline::argument(raw, 0) & !4095,
        trampoline::argument(raw, 3),
        pages as u32,
        stacks::take(raw),
    );
    0
}

/// Records the references of one call.
#[inline(always)]
fn refer(address: u64, array: u64, pages: u32, stack: i64) {
    let mut index = 0;
    while index < limits::FOLL_GET_PAGES_PER_CALL {
        if index >= pages {
            return;
        }
        let place = u64::from(index);
        pintrace_remember_reference(address + (place << 12), array + (place << 3), stack);
        index += 1;
    }
    if pages > index {
        count::loss(Loss::MmEventTableFull, u64::from(pages - index));
    }
}

/// Records one reference. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_remember_reference(address: u64, slot: u64, stack: i64) -> u32 {
    let folio = Folio::of(kernel::u64_at(slot));
    // Several fields hold the map count of a large folio, so its references cannot be counted.
    if folio.is_none() || folio.bytes() != 4096 {
        return 0;
    }
    let reference = Reference {
        mm: kernel::current_mm(),
        address,
        taken_ns: accounts::time(),
        taken_by: bpf_get_current_pid_tgid(),
        stack,
    };
    let _ = FOLL_GET_FOLIOS.insert(folio.head(), reference, 0);
    0
}

/// Returns the reference to a folio that is being copied at an address, if a holder of the reference is left.
#[inline(always)]
pub fn held(folio: Folio, mm: u64, address: u64) -> Option<Reference> {
    let head = folio.head();
    let reference = FOLL_GET_FOLIOS.at(head)?;
    // A thread that replaces the entry meanwhile has a reference too.
    let reference = reference.copy();
    let here = reference.mm == mm && reference.address == address;
    (here && references(head)? > 0).then_some(reference)
}

/// Returns the number of references to a small folio that is being copied, without the kernel's own references.
#[inline(always)]
fn references(head: u64) -> Option<u32> {
    let flags = kernel::read_u64(head + u64::from(FACTS.page_flags()))?;
    let count = kernel::read_u32(head + u64::from(FACTS.page_refcount()))?;
    let maps = kernel::read_u32(head + u64::from(FACTS.page_mapcount()))?.wrapping_add(1);
    let is = |flag: u64| flags >> (flag & 63) & 1;
    // The fault has a reference (`do_wp_page`, mm/memory.c). Without PG_lru, the LRU code has a reference too: it is
    // about to put the page on an LRU list, or took the page off (`folio_batch_add_and_move`, mm/swap.c).
    let own = 1 + is(MM_EVENT_FACTS.pg_swapcache()) as u32 + 1 - is(MM_EVENT_FACTS.pg_lru()) as u32;
    Some(count.saturating_sub(maps).saturating_sub(own))
}

with_backup! {
    fexit FExitContext leave_get_user_pages_fast leave_get_user_pages_fast_backup => taken;
}
