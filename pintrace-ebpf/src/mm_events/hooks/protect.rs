//! Hooks on write protection. A window opens in `change_protection` (mm/mprotect.c) and closes when the flush is
//! complete: at the return of `tlb_finish_mmu` (mm/mmu_gather.c), up to 5.18 of `change_protection` itself.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use pintrace_common::mm_events::{ActiveWindow, cause, mapping_change, protect};

use crate::map_ref::{get, set};
use crate::{
    backup::Role,
    clock,
    compat::trampoline,
    facts::{FACTS, MM_EVENT_FACTS},
    kernel, kprobe_registers,
    ledger::state::{self, gate_is_open},
    mm_events::{
        flush_window::active,
        mapping_changes::{self, MappingChange},
        pinned_mms, with_backup,
    },
};

/// Returns the indices of the parameters `vma` and `flags`, by [`protect`].
#[inline(always)]
fn parameters() -> (u32, u32) {
    match MM_EVENT_FACTS.protect_prototype() as u32 {
        protect::WITHOUT_TLB => (0, 4),
        protect::TLB_AND_NEWPROT => (1, 5),
        _ => (1, 4),
    }
}

/// Opens a window on entry, for the protection of a range of `mm`.
#[inline(always)]
fn begins(mm: u64, vma: u64, address: u64, end: u64, flags: u64) {
    if is_watched(mm)
        && let Some(cause) = active::cause_of(flags, vma)
    {
        active::pintrace_window_open(mm, address, end, u64::from(cause));
    }
}

/// Returns true if the windows of an mm count. A window of an mm without pins endangers no pin.
#[inline(always)]
fn is_watched(mm: u64) -> bool {
    MM_EVENT_FACTS.all_windows() != 0 || pinned_mms::any() && pinned_mms::holds(mm)
}

/// Returns true if no window of any mm counts.
#[inline(always)]
fn none_is_watched() -> bool {
    MM_EVENT_FACTS.all_windows() == 0 && !pinned_mms::any()
}

/// Adds the number of changed pages to the window on return.
#[inline(always)]
fn changed(ctx: *mut c_void, mm: u64, pages: u64) {
    let Some(window) = active::mine(mm) else {
        return;
    };
    // A negative error number means that no page was changed.
    let pages = if pages > u64::MAX / 2 { 0 } else { pages };
    // Only this task changes the window.
    let ActiveWindow {
        cause,
        latest_start,
        latest_end,
        ..
    } = {
        set!(window.pages = get!(window.pages) + pages);
        set!(window.returned_ns = clock::time());
        window.copy()
    };
    if MM_EVENT_FACTS.protect_prototype() as u32 == protect::WITHOUT_TLB {
        active::pintrace_window_close(mm, clock::time());
    }
    let what = match cause as u32 {
        cause::UFFD_WP => mapping_change::UFFD_WP,
        cause::PROTECT => mapping_change::PROTECT,
        _ => return,
    };
    if pages != 0 {
        let change = MappingChange {
            what,
            within: mm,
            address: latest_start,
            end: latest_end,
            pages,
            detail: 0,
            began_ns: 0,
        };
        mapping_changes::emit(ctx, &change);
    }
}

/// Runs on entry of change_protection.
#[inline(always)]
fn enters(role: Role, ctx: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(ctx) else {
        return 0;
    };
    if !gate_is_open() || none_is_watched() {
        return 0;
    }
    begun(ctx);
    0
}

/// Returns the vma that is protected.
#[inline(always)]
fn area(ctx: *mut c_void) -> u64 {
    let (vma, _) = parameters();
    trampoline::argument(ctx, vma)
}

/// Reads the parameters, on entry or return, and opens a window.
#[inline(always)]
fn begun(ctx: *mut c_void) {
    let (vma, flags) = parameters();
    let area = area(ctx);
    begins(
        kernel::mm_of(area),
        area,
        trampoline::argument(ctx, vma + 1),
        trampoline::argument(ctx, vma + 2),
        trampoline::argument(ctx, flags),
    );
}

/// Runs on return of change_protection.
#[inline(always)]
fn leaves(role: Role, ctx: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(ctx) else {
        return 0;
    };
    if !gate_is_open() || none_is_watched() {
        return 0;
    }
    let (_, flags) = parameters();
    let area = area(ctx);
    let mm = kernel::mm_of(area);
    let pages = trampoline::result(ctx, flags + 1).unwrap_or(0);
    let skips = FACTS.has_backups() != 0;
    if !active::any_of(mm) && (!skips || pages == 0 || !is_watched(mm)) {
        return 0;
    }
    if active::cause_of(trampoline::argument(ctx, flags), area).is_none() {
        return 0;
    }
    // Only this task changes the window.
    let entered = active::mine(mm).is_some_and(|window| get!(window.returned_ns) == 0);
    if !entered && skips && pages != 0 {
        // The kernel has skipped all programs on the entry. The window opens late, but counts.
        begun(ctx);
    }
    changed(ctx, mm, pages);
    0
}

/// Does the work of the entry by a kprobe: up to 6.0 a trampoline cannot pass the struct `pgprot_t`
/// (`btf_distill_func_proto`).
#[kprobe]
pub fn probe_change_protection(ctx: ProbeContext) -> u32 {
    if !gate_is_open() || none_is_watched() {
        return 0;
    }
    let [first, second, third, fourth, fifth, sixth] = kprobe_registers::arguments(&ctx);
    let (area, start, end, flags) = if MM_EVENT_FACTS.protect_prototype() as u32 == protect::WITHOUT_TLB {
        (first, second, third, fifth)
    } else {
        (second, third, fourth, sixth)
    };
    let mm = kernel::mm_of(area);
    // The return does not know the parameters, so only the running task's own mm can be handled.
    if mm == kernel::current_mm() {
        begins(mm, area, start, end, flags);
    }
    0
}

/// Does the work of the return by a kretprobe, which cannot read the parameters.
#[kretprobe]
pub fn probe_return_change_protection(ctx: RetProbeContext) -> u32 {
    if active::any() {
        changed(ctx.as_ptr(), kernel::current_mm(), ctx.ret());
    }
    0
}

with_backup! {
    fentry FEntryContext enter_change_protection enter_change_protection_backup => enters;
    fexit FExitContext leave_change_protection leave_change_protection_backup + leave_change_protection_backup2 => leaves;
    fexit FExitContext leave_tlb_finish_mmu leave_tlb_finish_mmu_backup => flushed;
}

/// Runs on return of tlb_finish_mmu(tlb): the gathered ranges are flushed.
#[inline(always)]
fn flushed(role: Role, ctx: *mut c_void) -> i32 {
    let Some(_claim) = role.claim_mm_event(ctx) else {
        return 0;
    };
    if !gate_is_open() || state::open_windows().load() == 0 {
        return 0;
    }
    let gather = trampoline::argument(ctx, 0);
    let mm = kernel::u64_at(gather + MM_EVENT_FACTS.gather_mm());
    if !active::any_of(mm) {
        return 0;
    }
    // Only this task changes the window.
    if active::mine(mm).is_some_and(|window| get!(window.returned_ns) != 0) {
        active::pintrace_window_close(mm, clock::time());
    }
    0
}
