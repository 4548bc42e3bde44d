//! Hooks on clear_refs, which resets the soft-dirty bits, and on the TLB flush.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::mm_events::mapping_change;

use crate::map_ref::{get, set};
use crate::{
    backup::Role,
    clock,
    compat::trampoline,
    ledger::state::gate_is_open,
    mm_events::{
        flush_window::stats,
        mapping_changes::{self, MappingChange},
        task_context::{self, TaskContext, kind},
        with_backup,
    },
};

/// Runs on entry of clear_refs_write(file, buffer, count, position) (fs/proc/task_mmu.c). Only the flush at the end of
/// the call shows which bits the call clears: the kernel flushes for soft-dirty alone.
#[inline(always)]
fn clears(role: Role, raw: *mut c_void) -> i32 {
    if let Some(_claim) = role.claim_mm_event(raw)
        && gate_is_open()
    {
        task_context::enter(&TaskContext {
            kind: kind::CLEAR,
            began_ns: clock::time(),
            ..TaskContext::default()
        });
    }
    0
}

/// Runs on entry of flush_tlb_mm_range(mm, start, end, ...) (arch/x86/mm/tlb.c).
#[inline(always)]
fn flushes(role: Role, raw: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    let Some(context) = task_context::current() else {
        return 0;
    };
    // Only this task uses the context.
    match get!(context.kind) {
        kind::CLEAR => set!(context.mm = trampoline::argument(raw, 0)),
        // The kernel flushes once when it maps the copy, and once before the copy if it respects the window.
        kind::WRITE => {
            let (start, end) = (trampoline::argument(raw, 1), trampoline::argument(raw, 2));
            let here = start <= get!(context.address) && get!(context.address) < end;
            if here && trampoline::argument(raw, 0) == get!(context.mm) {
                set!(context.pages = get!(context.pages) + 1);
            }
        }
        kind::SCAN => super::pagemap_scan::protected(
            raw,
            trampoline::argument(raw, 0),
            (trampoline::argument(raw, 1), trampoline::argument(raw, 2)),
        ),
        _ => {}
    }
    0
}

/// Runs on return of clear_refs_write.
#[inline(always)]
fn cleared(role: Role, raw: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(raw) else {
        return 0;
    };
    let Some(context) = task_context::current_of(kind::CLEAR) else {
        return 0;
    };
    // Only this task uses the context.
    let context = context.copy();
    task_context::leave();
    if context.mm != 0 {
        stats::soft_dirty(context.mm, context.began_ns);
        let change = MappingChange {
            what: mapping_change::SOFT_DIRTY,
            within: context.mm,
            address: 0,
            end: 1 << 56,
            pages: 0,
            detail: 0,
            began_ns: context.began_ns,
        };
        mapping_changes::emit(raw, &change);
    }
    0
}

with_backup! {
    fexit FExitContext leave_clear_refs_write leave_clear_refs_write_backup => cleared;
    fentry FEntryContext enter_clear_refs_write enter_clear_refs_write_backup => clears;
    fentry FEntryContext enter_flush_tlb_mm_range enter_flush_tlb_mm_range_backup => flushes;
}
