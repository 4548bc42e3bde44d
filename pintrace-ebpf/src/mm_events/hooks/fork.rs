//! Hooks on fork, during which the kernel copies for the child each page that seems pinned (`copy_present_page`,
//! mm/memory.c; `copy_hugetlb_page_range`, mm/hugetlb.c).

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::mm_events::mapping_change;

use crate::map_ref::{MapRef, get, set};
use crate::{
    backup::Role,
    clock,
    compat::trampoline,
    folio::Folio,
    kernel::mm_of,
    ledger::state::gate_is_open,
    mm_events::{
        mapping_changes::{self, MappingChange},
        pinned_mms,
        task_context::{self, TaskContext, kind},
        with_backup,
    },
};

/// Runs on entry of copy_page_range(dst_vma, src_vma), once for each vma of the parent.
#[inline(always)]
fn forks(role: Role, ctx: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(ctx) else {
        return 0;
    };
    if !gate_is_open() || !pinned_mms::any() {
        return 0;
    }
    let mm = mm_of(trampoline::argument(ctx, 1));
    if !pinned_mms::holds(mm) {
        return 0;
    }
    task_context::enter(&TaskContext {
        kind: kind::FORK,
        mm,
        address: u64::MAX,
        began_ns: clock::time(),
        ..TaskContext::default()
    });
    0
}

/// Adds a page that a fork copies and maps for the child to the context of the fork.
#[inline(always)]
pub fn copied(context: MapRef<TaskContext>, fresh: u64, address: u64) {
    let folio = Folio::of(fresh);
    let bytes = if folio.is_none() { 1 << 12 } else { folio.bytes() };
    let address = address & !(bytes - 1);
    // Only this task uses the context.
    set!(context.pages = get!(context.pages) + (bytes >> 12));
    if address < get!(context.address) {
        set!(context.address = address);
    }
    if address + bytes > get!(context.end) {
        set!(context.end = address + bytes);
    }
}

/// Runs on return of copy_page_range.
#[inline(always)]
fn forked(role: Role, ctx: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(ctx) else {
        return 0;
    };
    let Some(context) = task_context::current_of(kind::FORK) else {
        return 0;
    };
    // Only this task uses the context.
    let context = context.copy();
    task_context::leave();
    if context.pages != 0 {
        let change = MappingChange {
            what: mapping_change::FORK,
            within: context.mm,
            address: context.address,
            end: context.end,
            pages: context.pages,
            detail: 0,
            began_ns: context.began_ns,
        };
        mapping_changes::emit(ctx, &change);
    }
    0
}

with_backup! {
    fentry FEntryContext enter_copy_page_range enter_copy_page_range_backup => forks;
    fexit FExitContext leave_copy_page_range leave_copy_page_range_backup => forked;
}
