//! Hooks on faults that may copy a page.
//!
//! `do_wp_page` (mm/memory.c) decides whether a write is to a page of the task's own or to a copy; the copy is committed
//! when it gets its reverse mapping (`folio_add_new_anon_rmap`, mm/rmap.c), under the page table's lock, while
//! `vmf->page` is still the old page. So between the entry and the return of the first, the second is a copy. hugetlb
//! faults are the same with functions of their own (mm/hugetlb.c), where the old page is what is copied from.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use crate::{accounts, acquire::gate_is_open, kernel, trampoline, turns::Turn};

use super::{
    both_turns, copies, facts, inside, open,
    slots::{self, Slot, kind},
};

const PAGE_MASK: u64 = !4095;

/// Entry of do_wp_page(vmf).
#[inline(always)]
fn writes(turn: Turn, ctx: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(ctx) else {
        return 0;
    };
    if !gate_is_open() {
        return 0;
    }
    let concerns = copies::may_concern();
    if !concerns && !open::any() {
        return 0;
    }
    let fault = trampoline::argument(ctx, 0);
    let space = facts::space_of(kernel::u64_at(fault + facts::fault_vma()));
    let address = kernel::u64_at(fault + facts::fault_address()) & PAGE_MASK;
    let window = if open::any() {
        inside::fault(space, address)
    } else {
        0
    };
    if !concerns && window == 0 {
        return 0;
    }
    let flags = kernel::u32_at(fault + facts::fault_flags());
    slots::open(&Slot {
        kind: kind::WRITE,
        space,
        address,
        fault,
        unshare: u64::from(flags) & facts::unshare(),
        window,
        began_ns: accounts::time(),
        ..Slot::default()
    });
    0
}

/// Return of do_wp_page and of hugetlb_fault.
#[inline(always)]
fn done(turn: Turn, ctx: *mut c_void) -> i32 {
    if let Some(_share) = turn.watches(ctx) {
        slots::close();
    }
    0
}

/// Entry of hugetlb_fault(mm, vma, address, flags).
#[inline(always)]
fn faults_huge(turn: Turn, ctx: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(ctx) else {
        return 0;
    };
    if !gate_is_open() || !copies::may_concern() {
        return 0;
    }
    let flags = trampoline::argument(ctx, 3);
    slots::open(&Slot {
        kind: kind::HUGE,
        space: trampoline::argument(ctx, 0),
        address: trampoline::argument(ctx, 2) & PAGE_MASK,
        unshare: flags & facts::unshare(),
        began_ns: accounts::time(),
        ..Slot::default()
    });
    0
}

/// Entry of copy_user_large_folio(dst, src, ...) or copy_user_huge_page(dst, src, ...).
#[inline(always)]
fn copying(turn: Turn, ctx: *mut c_void) -> i32 {
    if let Some(_share) = turn.watches(ctx)
        && let Some(slot) = slots::mine_of(kind::HUGE)
    {
        // SAFETY: a live map value that only this task uses.
        unsafe { (*slot).fault = trampoline::argument(ctx, 1) };
    }
    0
}

/// A page of `pages` gets its first reverse mapping at an address: if the running task is in the middle of a fault or
/// fork, it is a copy.
#[inline(always)]
fn mapped(turn: Turn, ctx: *mut c_void, huge: bool) -> i32 {
    let Some(_share) = turn.watches(ctx) else {
        return 0;
    };
    let Some(slot) = slots::mine() else {
        return 0;
    };
    // SAFETY: a live map value that only this task uses.
    let known = unsafe { *slot };
    let fresh = trampoline::argument(ctx, 0);
    let address = trampoline::argument(ctx, 2);
    match known.kind {
        kind::FORK => super::hooks_fork::copied(slot, fresh, address),
        kind::WRITE if !huge && address & PAGE_MASK == known.address => {
            let old = kernel::u64_at(known.fault + facts::fault_page());
            if old != 0 && old != fresh {
                // While the page was copied, others could write to the old one if the flush was due before and after
                // that, and the kernel did not flush first (`do_wp_page` does for userfaultfd).
                let exposed = inside::by_userfaultfd(known.window)
                    && known.pages == 1
                    && inside::still(known.space, known.address);
                let window = if exposed { known.window } else { 0 };
                copies::copied(ctx, &Slot { window, ..known }, old);
            }
        }
        kind::HUGE if huge && known.fault != 0 => {
            // Of a huge page the fault may have any address.
            let whole = Slot { address, ..known };
            copies::copied(ctx, &whole, known.fault);
        }
        _ => {}
    }
    0
}

both_turns! {
    fexit FExitContext leave_do_wp_page leave_do_wp_page_again => done;
    fentry FEntryContext enter_do_wp_page enter_do_wp_page_again => writes;
    fexit FExitContext leave_hugetlb_fault leave_hugetlb_fault_again => done;
    fentry FEntryContext enter_hugetlb_fault enter_hugetlb_fault_again => faults_huge;
    fentry FEntryContext enter_copy_user_large_folio enter_copy_user_large_folio_again => copying;
    fentry FEntryContext enter_copy_user_huge_page enter_copy_user_huge_page_again => copying;
    fentry FEntryContext enter_folio_add_new_anon_rmap enter_folio_add_new_anon_rmap_again => mapped(false);
    fentry FEntryContext enter_page_add_new_anon_rmap enter_page_add_new_anon_rmap_again => mapped(false);
    fentry FEntryContext enter_hugetlb_add_new_anon_rmap enter_hugetlb_add_new_anon_rmap_again => mapped(true);
    fentry FEntryContext enter_hugepage_add_new_anon_rmap enter_hugepage_add_new_anon_rmap_again => mapped(true);
}
