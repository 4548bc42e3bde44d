//! Hooks on faults that may copy a page.
//!
//! `do_wp_page` (mm/memory.c) decides whether a write goes to the task's own page or to a copy. The kernel commits a
//! copy by adding its reverse mapping (`folio_add_new_anon_rmap`, mm/rmap.c), under the page table lock, while
//! `vmf->page` is still the old page. So a call of `folio_add_new_anon_rmap` between entry and return of `do_wp_page`
//! means a copy. hugetlb faults have functions for themselves (mm/hugetlb.c), and the copy function names the old page.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};

use crate::map_ref::set;
use crate::{
    backup::Role,
    clock,
    compat::trampoline,
    facts::MM_EVENT_FACTS,
    kernel,
    ledger::state::gate_is_open,
    mm_events::{
        cow,
        flush_window::{active, events},
        pinned_mms,
        task_context::{self, TaskContext, kind},
        with_backup,
    },
};

const PAGE_MASK: u64 = !4095;

/// Runs on entry of do_wp_page(vmf).
#[inline(always)]
fn writes(role: Role, ctx: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(ctx) else {
        return 0;
    };
    if !gate_is_open() {
        return 0;
    }
    if !pinned_mms::any() && !active::any() {
        return 0;
    }
    let fault = trampoline::argument(ctx, 0);
    let mm = kernel::mm_of(kernel::u64_at(fault + MM_EVENT_FACTS.fault_vma()));
    let concerns = pinned_mms::holds(mm);
    if !concerns && !active::any() {
        return 0;
    }
    let address = kernel::u64_at(fault + MM_EVENT_FACTS.fault_address()) & PAGE_MASK;
    let window = if active::any() {
        events::fault(mm, address)
    } else {
        0
    };
    if !concerns && window == 0 {
        return 0;
    }
    let flags = kernel::u32_at(fault + MM_EVENT_FACTS.fault_flags());
    task_context::enter(&TaskContext {
        kind: kind::WRITE,
        mm,
        address,
        fault,
        unshare: u64::from(flags) & MM_EVENT_FACTS.unshare(),
        window,
        began_ns: clock::time(),
        ..TaskContext::default()
    });
    0
}

/// Runs on return of do_wp_page and of hugetlb_fault.
#[inline(always)]
fn done(role: Role, ctx: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_mm_event(ctx) {
        task_context::leave();
    }
    0
}

/// Runs on entry of hugetlb_fault(mm, vma, address, flags).
#[inline(always)]
fn faults_huge(role: Role, ctx: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(ctx) else {
        return 0;
    };
    if !gate_is_open() || !pinned_mms::any() {
        return 0;
    }
    let mm = trampoline::argument(ctx, 0);
    if !pinned_mms::holds(mm) {
        return 0;
    }
    let flags = trampoline::argument(ctx, 3);
    task_context::enter(&TaskContext {
        kind: kind::HUGE,
        mm,
        address: trampoline::argument(ctx, 2) & PAGE_MASK,
        unshare: flags & MM_EVENT_FACTS.unshare(),
        began_ns: clock::time(),
        ..TaskContext::default()
    });
    0
}

/// Runs on entry of copy_user_large_folio(dst, src, ...) or copy_user_huge_page(dst, src, ...).
#[inline(always)]
fn copying(role: Role, ctx: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_mm_event(ctx)
        && let Some(context) = task_context::current_of(kind::HUGE)
    {
        // Only this task uses the context.
        set!(context.fault = trampoline::argument(ctx, 1));
    }
    0
}

/// Runs when a page gets its first reverse mapping at an address. If the running task is inside a fault or a fork, the
/// page is a copy.
#[inline(always)]
fn mapped(role: Role, ctx: *mut c_void, huge: bool) -> i32 {
    let Some(_claim) = role.claim_mm_event(ctx) else {
        return 0;
    };
    let Some(context) = task_context::current() else {
        return 0;
    };
    // Only this task uses the context.
    let known = context.copy();
    let fresh = trampoline::argument(ctx, 0);
    let address = trampoline::argument(ctx, 2);
    match known.kind {
        kind::FORK => super::fork::copied(context, fresh, address),
        kind::WRITE if !huge && address & PAGE_MASK == known.address => {
            let old = kernel::u64_at(known.fault + MM_EVENT_FACTS.fault_page());
            if old != 0 && old != fresh {
                // Other threads could write to the old page during the copy if the flush was pending before and after
                // the copy, and the kernel did not flush first (`do_wp_page` flushes for userfaultfd).
                let exposed = events::is_uffd_wp(known.window)
                    && known.pages == 1
                    && events::still(known.mm, known.address);
                let window = if exposed { known.window } else { 0 };
                cow::copy_committed(ctx, &TaskContext { window, ..known }, old);
            }
        }
        kind::HUGE if huge && known.fault != 0 => {
            // The fault's address may be anywhere inside the huge page.
            let whole = TaskContext { address, ..known };
            cow::copy_committed(ctx, &whole, known.fault);
        }
        _ => {}
    }
    0
}

with_backup! {
    fexit FExitContext leave_do_wp_page leave_do_wp_page_backup => done;
    fentry FEntryContext enter_do_wp_page enter_do_wp_page_backup => writes;
    fexit FExitContext leave_hugetlb_fault leave_hugetlb_fault_backup => done;
    fentry FEntryContext enter_hugetlb_fault enter_hugetlb_fault_backup => faults_huge;
    fentry FEntryContext enter_copy_user_large_folio enter_copy_user_large_folio_backup => copying;
    fentry FEntryContext enter_copy_user_huge_page enter_copy_user_huge_page_backup => copying;
    fentry FEntryContext enter_folio_add_new_anon_rmap enter_folio_add_new_anon_rmap_backup => mapped(false);
    fentry FEntryContext enter_page_add_new_anon_rmap enter_page_add_new_anon_rmap_backup => mapped(false);
    fentry FEntryContext enter_hugetlb_add_new_anon_rmap enter_hugetlb_add_new_anon_rmap_backup => mapped(true);
    fentry FEntryContext enter_hugepage_add_new_anon_rmap enter_hugepage_add_new_anon_rmap_backup => mapped(true);
}
