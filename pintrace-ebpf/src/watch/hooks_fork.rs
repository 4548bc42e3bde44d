//! Hooks on fork, which copies pages for the child at once that the kernel takes for pinned (`copy_present_page`,
//! mm/memory.c; `copy_hugetlb_page_range`, mm/hugetlb.c).

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::watch::touch;

use crate::{accounts, acquire::gate_is_open, page::Folio, trampoline, turns::Turn};

use super::{
    both_turns, copies, facts,
    slots::{self, Slot, kind},
    touches::{self, Touch},
};

/// Entry of copy_page_range(dst_vma, src_vma), once for each area of the parent.
#[inline(always)]
fn forks(turn: Turn, ctx: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(ctx) else {
        return 0;
    };
    if !gate_is_open() || !copies::may_concern() {
        return 0;
    }
    slots::open(&Slot {
        kind: kind::FORK,
        space: facts::space_of(trampoline::argument(ctx, 1)),
        address: u64::MAX,
        began_ns: accounts::time(),
        ..Slot::default()
    });
    0
}

/// Inside: a fresh page for the child is mapped.
#[inline(always)]
pub fn copied(slot: *mut Slot, fresh: u64, address: u64) {
    let folio = Folio::of(fresh);
    let bytes = if folio.is_none() { 1 << 12 } else { folio.bytes() };
    let address = address & !(bytes - 1);
    // SAFETY: a live map value that only this task uses.
    unsafe {
        (*slot).pages += bytes >> 12;
        if address < (*slot).address {
            (*slot).address = address;
        }
        if address + bytes > (*slot).end {
            (*slot).end = address + bytes;
        }
    }
}

/// Return of copy_page_range.
#[inline(always)]
fn forked(turn: Turn, ctx: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(ctx) else {
        return 0;
    };
    let Some(slot) = slots::mine_of(kind::FORK) else {
        return 0;
    };
    // SAFETY: a live map value that only this task uses.
    let slot = unsafe { *slot };
    slots::close();
    if slot.pages != 0 {
        let touch = Touch {
            what: touch::FORK,
            space: slot.space,
            address: slot.address,
            end: slot.end,
            pages: slot.pages,
            detail: 0,
            began_ns: slot.began_ns,
        };
        touches::tell(ctx, &touch);
    }
    0
}

both_turns! {
    fentry FEntryContext enter_copy_page_range enter_copy_page_range_again => forks;
    fexit FExitContext leave_copy_page_range leave_copy_page_range_again => forked;
}
