//! Hooks on write protection: windows that open in `change_protection` (mm/mprotect.c) and close when the flush is
//! complete, which is at the return of `tlb_finish_mmu` (mm/mmu_gather.c), and of `change_protection` itself up to 5.18.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use pintrace_common::watch::{OpenWindow, cause, protect, touch};

use crate::{accounts, acquire::gate_is_open, facts as kernel_facts, kernel, trampoline, turns::Turn};

use super::{
    both_turns, facts, open,
    touches::{self, Touch},
};

/// Which parameter is what, by [`protect`].
#[inline(always)]
fn parameters() -> (u32, u32) {
    match facts::protect_shape() as u32 {
        protect::ALONE => (0, 4),
        protect::WITH_PROTECTION => (1, 5),
        _ => (1, 4),
    }
}

/// Entry: protection of a range of `space` begins.
#[inline(always)]
fn begins(space: u64, vma: u64, address: u64, end: u64, flags: u64) {
    if let Some(cause) = open::cause_of(flags, vma) {
        open::pintrace_window_open(space, address, end, u64::from(cause));
    }
}

/// Return: so many pages were changed.
#[inline(always)]
fn changed(ctx: *mut c_void, space: u64, pages: u64) {
    let Some(window) = open::mine(space) else {
        return;
    };
    // It is an error's number where the range could not be changed at all.
    let pages = if pages > u64::MAX / 2 { 0 } else { pages };
    // SAFETY: a live map value that only this task changes.
    let OpenWindow {
        cause,
        part,
        part_end,
        ..
    } = unsafe {
        (*window).pages += pages;
        (*window).left_ns = accounts::time();
        *window
    };
    if facts::protect_shape() as u32 == protect::ALONE {
        open::pintrace_window_close(space, accounts::time());
    }
    let what = match cause as u32 {
        cause::UFFD_WP => touch::UFFD_WP,
        cause::PROTECT => touch::PROTECT,
        _ => return,
    };
    if pages != 0 {
        let touch = Touch {
            what,
            space,
            address: part,
            end: part_end,
            pages,
            detail: 0,
            began_ns: 0,
        };
        touches::tell(ctx, &touch);
    }
}

/// Entry of change_protection.
#[inline(always)]
fn enters(turn: Turn, ctx: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(ctx) else {
        return 0;
    };
    if !gate_is_open() {
        return 0;
    }
    begun(ctx);
    0
}

/// The area that is protected.
#[inline(always)]
fn area(ctx: *mut c_void) -> u64 {
    let (vma, _) = parameters();
    trampoline::argument(ctx, vma)
}

/// Reads the parameters, at entry or return.
#[inline(always)]
fn begun(ctx: *mut c_void) {
    let (vma, flags) = parameters();
    let area = area(ctx);
    begins(
        facts::space_of(area),
        area,
        trampoline::argument(ctx, vma + 1),
        trampoline::argument(ctx, vma + 2),
        trampoline::argument(ctx, flags),
    );
}

/// Return of change_protection.
#[inline(always)]
fn leaves(turn: Turn, ctx: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(ctx) else {
        return 0;
    };
    if !gate_is_open() {
        return 0;
    }
    let (_, flags) = parameters();
    let area = area(ctx);
    let space = facts::space_of(area);
    let pages = trampoline::result(ctx, flags + 1).unwrap_or(0);
    let skips = kernel_facts::two_turns() != 0;
    if !open::any_of(space) && (!skips || pages == 0) {
        return 0;
    }
    if open::cause_of(trampoline::argument(ctx, flags), area).is_none() {
        return 0;
    }
    // SAFETY: a live map value that only this task changes.
    let entered = open::mine(space).is_some_and(|window| unsafe { (*window).left_ns } == 0);
    if !entered && skips && pages != 0 {
        // The kernel has skipped all programs of its entry: the window opens late, and is counted all the same.
        begun(ctx);
    }
    changed(ctx, space, pages);
    0
}

/// The same by a kprobe: up to 6.0 a trampoline cannot pass `pgprot_t`, a struct (`btf_distill_func_proto`).
#[kprobe]
pub fn probe_change_protection(ctx: ProbeContext) -> u32 {
    if !gate_is_open() {
        return 0;
    }
    // SAFETY: the registers of the probed function. Volatile, since of loads from either of two places the compiler would
    // make one from a place that varies, which the verifier forbids.
    let [first, second, third, fourth, fifth, sixth] = unsafe {
        let regs = ctx.regs;
        [
            (&raw const (*regs).rdi).read_volatile(),
            (&raw const (*regs).rsi).read_volatile(),
            (&raw const (*regs).rdx).read_volatile(),
            (&raw const (*regs).rcx).read_volatile(),
            (&raw const (*regs).r8).read_volatile(),
            (&raw const (*regs).r9).read_volatile(),
        ]
    };
    let (area, start, end, flags) = if facts::protect_shape() as u32 == protect::ALONE {
        (first, second, third, fifth)
    } else {
        (second, third, fourth, sixth)
    };
    let space = facts::space_of(area);
    // Whose window it is the return could not tell.
    if space == kernel::current_mm() {
        begins(space, area, start, end, flags);
    }
    0
}

/// ... and a kretprobe, to which the parameters are lost.
#[kretprobe]
pub fn probe_return_change_protection(ctx: RetProbeContext) -> u32 {
    if open::any() {
        changed(ctx.as_ptr(), kernel::current_mm(), ctx.ret());
    }
    0
}

both_turns! {
    fentry FEntryContext enter_change_protection enter_change_protection_again => enters;
    fexit FExitContext leave_change_protection leave_change_protection_again + leave_change_protection_third => leaves;
    fexit FExitContext leave_tlb_finish_mmu leave_tlb_finish_mmu_again => flushed;
}

/// Return of tlb_finish_mmu(tlb): what was gathered is flushed.
#[inline(always)]
fn flushed(turn: Turn, ctx: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(ctx) else {
        return 0;
    };
    if !gate_is_open() {
        return 0;
    }
    let gather = trampoline::argument(ctx, 0);
    let space = kernel::u64_at(gather + facts::gather_mm());
    if !open::any_of(space) {
        return 0;
    }
    // SAFETY: a live map value that only this task changes.
    if open::mine(space).is_some_and(|window| unsafe { (*window).left_ns } != 0) {
        open::pintrace_window_close(space, accounts::time());
    }
    0
}
