//! Hooks on clear_refs, which starts over what counts as dirty, and on the flush of translations.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::watch::touch;

use crate::{accounts, acquire::gate_is_open, trampoline, turns::Turn};

use super::{
    both_turns,
    slots::{self, Slot, kind},
    touches::{self, Touch},
    windows,
};

/// Entry of clear_refs_write(file, buffer, count, position) (fs/proc/task_mmu.c): what is cleared, only the flush at
/// its end tells, which there is for soft-dirty alone.
#[inline(always)]
fn clears(turn: Turn, raw: *mut c_void) -> i32 {
    if let Some(_share) = turn.watches(raw)
        && gate_is_open()
    {
        slots::open(&Slot {
            kind: kind::CLEAR,
            began_ns: accounts::time(),
            ..Slot::default()
        });
    }
    0
}

/// Entry of flush_tlb_mm_range(mm, start, end, ...) (arch/x86/mm/tlb.c).
#[inline(always)]
fn flushes(turn: Turn, raw: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(raw) else {
        return 0;
    };
    let Some(slot) = slots::mine() else {
        return 0;
    };
    // SAFETY: a live map value that only this task uses.
    unsafe {
        match (*slot).kind {
            kind::CLEAR => (*slot).space = trampoline::argument(raw, 0),
            // Once when the copy is mapped; and once before it is made, if the kernel minds the window.
            kind::WRITE => {
                let (start, end) = (trampoline::argument(raw, 1), trampoline::argument(raw, 2));
                let here = start <= (*slot).address && (*slot).address < end;
                if here && trampoline::argument(raw, 0) == (*slot).space {
                    (*slot).pages += 1;
                }
            }
            _ => {}
        }
    }
    0
}

/// Return of clear_refs_write.
#[inline(always)]
fn cleared(turn: Turn, raw: *mut c_void) -> i32 {
    let Some(_share) = turn.watches(raw) else {
        return 0;
    };
    let Some(slot) = slots::mine_of(kind::CLEAR) else {
        return 0;
    };
    // SAFETY: a live map value that only this task uses.
    let slot = unsafe { *slot };
    slots::close();
    if slot.space != 0 {
        windows::soft_dirty(slot.space, slot.began_ns);
        let touch = Touch {
            what: touch::SOFT_DIRTY,
            space: slot.space,
            address: 0,
            end: 1 << 56,
            pages: 0,
            detail: 0,
            began_ns: slot.began_ns,
        };
        touches::tell(raw, &touch);
    }
    0
}

both_turns! {
    fexit FExitContext leave_clear_refs_write leave_clear_refs_write_again => cleared;
    fentry FEntryContext enter_clear_refs_write enter_clear_refs_write_again => clears;
    fentry FEntryContext enter_flush_tlb_mm_range enter_flush_tlb_mm_range_again => flushes;
}
