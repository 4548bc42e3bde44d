//! References by `FOLL_GET`, which are no pins: vmsplice, MSG_ZEROCOPY, and direct I/O up to 6.4. The hooks follow
//! references only on request.
//!
//! The kernel drops such a reference like any other, and in general no hook sees the drop. So the table keeps the latest
//! reference to each small folio. When the folio is copied, its reference count shows whether a holder other than the
//! kernel is left. Direct I/O drops the references of a bio in one function, which has a hook: such a reference is in
//! the table exactly as long as the I/O is under way.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    helpers::bpf_get_current_pid_tgid,
    macros::{fentry, fexit, map},
    maps::LruHashMap,
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::{counters::Loss, limits, mm_events::Reference};

use crate::map_ref::{Lookup, set};
use crate::{
    backup::Role,
    clock,
    compat::trampoline,
    count,
    facts::{FACTS, MM_EVENT_FACTS},
    folio::Folio,
    kernel,
    ledger::state::gate_is_open,
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
    // The flag is bit 0 of the address, which is page-aligned.
    let for_writing = trampoline::argument(raw, 2) & FOLL_WRITE;
    refer(
        trampoline::argument(raw, 0) & !4095 | for_writing,
        trampoline::argument(raw, 3),
        pages as u32,
        stacks::take(raw),
    );
    0
}

/// `FOLL_WRITE` (include/linux/mm_types.h), on all kernels.
const FOLL_WRITE: u64 = 1;

/// Records the references of one call. Bit 0 of `address` is [`FOLL_WRITE`].
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

/// Records one reference. Bit 0 of `address` is [`FOLL_WRITE`]. The function is global, so that the verifier follows it once.
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
        address: address & !4095,
        taken_ns: clock::time(),
        taken_by: bpf_get_current_pid_tgid(),
        stack,
        for_writing: address & FOLL_WRITE,
        in_bio: 0,
    };
    let _ = FOLL_GET_FOLIOS.insert(folio.head(), reference, 0);
    0
}

/// Runs on return of bio_iov_iter_get_pages(bio, iter) (block/bio.c), which has put the referenced pages into the bio.
#[inline(always)]
fn filled(role: Role, raw: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_mm_event(raw)
        && gate_is_open()
        && MM_EVENT_FACTS.bio_releases() != 0
        && pinned_mms::holds(kernel::current_mm())
    {
        each_page(trampoline::argument(raw, 0), false);
    }
    0
}

/// Runs on entry of __bio_release_pages(bio, mark_dirty) or bio_release_pages(bio, mark_dirty) (block/bio.c): direct I/O
/// drops its references, so the I/O on these pages is over.
#[inline(always)]
fn dropped(role: Role, raw: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_mm_event(raw)
        && gate_is_open()
        && pinned_mms::any()
    {
        each_page(trampoline::argument(raw, 0), true);
    }
    0
}

/// Marks or removes the reference to each page of a bio.
#[inline(always)]
fn each_page(bio: u64, remove: bool) {
    let entries = kernel::u32_at(bio + MM_EVENT_FACTS.bio_vec_count()) & 0xffff;
    let mut entry = kernel::u64_at(bio + MM_EVENT_FACTS.bio_vecs());
    let mut index = 0;
    while index < BIO_VECS {
        if index >= entries {
            return;
        }
        pintrace_references_of_bio_vec(entry, u32::from(remove));
        entry += BIO_VEC_BYTES;
        index += 1;
    }
    if entries > index {
        count::loss(Loss::MmEventTableFull, 1);
    }
}

/// Most entries of a bio (`BIO_MAX_VECS`, include/linux/bio.h).
const BIO_VECS: u32 = 256;
/// Bytes of a `struct bio_vec`.
const BIO_VEC_BYTES: u64 = 16;

/// Marks or removes the reference to each page of an entry of a bio. The function is global, so that the verifier follows
/// it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_references_of_bio_vec(entry: u64, remove: u32) -> u32 {
    // struct bio_vec (include/linux/bvec.h): page, length, offset. The pages of an entry adjoin.
    let page = kernel::u64_at(entry);
    let (bytes, offset) = (kernel::u32_at(entry + 8), kernel::u32_at(entry + 12));
    let (first, end) = (offset >> 12, (offset + bytes + 4095) >> 12);
    let mut index = 0;
    while index < limits::FOLL_GET_PAGES_PER_CALL {
        if first + index >= end {
            return 0;
        }
        let place = u64::from(first + index);
        pintrace_reference_of_bio(page + (place << (FACTS.page_struct_shift() & 31)), remove);
        index += 1;
    }
    // References that stay in the table look held for longer.
    if first + index < end {
        count::loss(Loss::MmEventTableFull, 1);
    }
    0
}

/// Marks or removes the reference to a page.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_reference_of_bio(page: u64, remove: u32) -> u32 {
    let folio = Folio::of(page);
    if folio.is_none() {
        return 0;
    }
    let Some(reference) = FOLL_GET_FOLIOS.at(folio.head()) else {
        return 0;
    };
    if remove == 0 {
        set!(reference.in_bio = 1);
    } else {
        let _ = FOLL_GET_FOLIOS.remove(folio.head());
    }
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
    fexit FExitContext leave_bio_iov_iter_get_pages leave_bio_iov_iter_get_pages_backup => filled;
    fentry FEntryContext enter_bio_release_pages enter_bio_release_pages_backup => dropped;
    fentry FEntryContext enter_inner_bio_release_pages enter_inner_bio_release_pages_backup => dropped;
}
