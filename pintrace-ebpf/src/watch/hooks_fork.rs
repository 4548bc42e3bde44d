//! Hooks on fork, which copies pages for the child at once that the kernel takes for pinned (`copy_present_page`,
//! mm/memory.c; `copy_hugetlb_page_range`, mm/hugetlb.c).

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::watch::touch;

use crate::{accounts, acquire::gate_is_open, page::Folio, trampoline};

use super::{
    copies,
    hooks_fault::space_of,
    slots::{self, Slot, kind},
    touches::{self, Touch},
};

/// Entry of copy_page_range(dst_vma, src_vma), once for each area of the parent.
#[fentry]
pub fn enter_copy_page_range(ctx: FEntryContext) -> i32 {
    if !gate_is_open() || !copies::may_concern() {
        return 0;
    }
    slots::open(&Slot {
        kind: kind::FORK,
        space: space_of(trampoline::argument(ctx.as_ptr(), 1)),
        address: u64::MAX,
        end: 0,
        fault: 0,
        pages: 0,
        unshare: 0,
        window: 0,
        began_ns: accounts::time(),
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
#[fexit]
pub fn leave_copy_page_range(ctx: FExitContext) -> i32 {
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
        };
        touches::tell(ctx.as_ptr(), &touch);
    }
    0
}
