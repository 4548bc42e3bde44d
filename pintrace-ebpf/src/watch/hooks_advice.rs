//! Hooks on madvise that takes pages away.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit},
    programs::{FEntryContext, FExitContext},
};
use pintrace_common::watch::{advice, touch};

use crate::{accounts, acquire::gate_is_open, kernel, trampoline, turns::Turn};

use super::{
    both_turns, facts, grains,
    slots::{self, Slot, kind},
    touches::{self, Touch},
};

/// `ENOMEM` of madvise: parts of the range are not mapped, the others have been advised.
const PARTLY: i32 = -12;

/// What is advised, for which memory.
#[derive(Clone, Copy)]
struct Advice {
    space: u64,
    start: u64,
    bytes: u64,
    advice: u64,
}

impl Advice {
    /// do_madvise(mm, start, len, advice) (mm/madvise.c).
    #[inline(always)]
    fn plain(raw: *mut c_void) -> Self {
        Self {
            space: trampoline::argument(raw, 0),
            start: trampoline::argument(raw, 1),
            bytes: trampoline::argument(raw, 2),
            advice: trampoline::argument(raw, 3) & 0xffff_ffff,
        }
    }

    /// madvise_do_behavior, to which madvise and process_madvise come (mm/madvise.c, 6.15).
    #[inline(always)]
    fn described(raw: *mut c_void) -> Self {
        let described = facts::advice_shape() as u32 == advice::DESCRIPTION;
        let (first, description) = if described {
            (0, trampoline::argument(raw, 2))
        } else {
            (1, trampoline::argument(raw, 3))
        };
        let space = if described {
            kernel::u64_at(description + facts::advice_mm())
        } else {
            trampoline::argument(raw, 0)
        };
        Self {
            space,
            start: trampoline::argument(raw, first),
            bytes: trampoline::argument(raw, first + 1),
            advice: u64::from(kernel::u32_at(description + facts::advice_behavior())),
        }
    }
}

/// Entry of either.
#[inline(always)]
fn advises(turn: Turn, raw: *mut c_void, read: impl Fn(*mut c_void) -> Advice) -> i32 {
    let Some(_share) = turn.watches(raw) else {
        return 0;
    };
    if !gate_is_open() || !grains::any() {
        return 0;
    }
    // Others take nothing away, and some of them fault, which has a slot of its own.
    let advice = read(raw).advice;
    if advice != DONTNEED && advice != FREE && advice != DONTNEED_LOCKED {
        return 0;
    }
    slots::open(&Slot {
        kind: kind::ADVICE,
        began_ns: accounts::time(),
        ..Slot::default()
    });
    0
}

#[inline(always)]
fn advises_plainly(turn: Turn, raw: *mut c_void) -> i32 {
    advises(turn, raw, Advice::plain)
}

#[inline(always)]
fn advises_by_description(turn: Turn, raw: *mut c_void) -> i32 {
    advises(turn, raw, Advice::described)
}

/// Its return, which tells whether it was done.
#[inline(always)]
fn advised_all(turn: Turn, raw: *mut c_void, read: impl Fn(*mut c_void) -> Advice) -> i32 {
    let Some(_share) = turn.watches(raw) else {
        return 0;
    };
    let Some(slot) = slots::mine_of(kind::ADVICE) else {
        return 0;
    };
    // SAFETY: a live map value that only this task uses.
    let began_ns = unsafe { (*slot).began_ns };
    slots::close();
    let result = trampoline::result(raw, 4).unwrap_or(0) as i32;
    if result != 0 && result != PARTLY {
        return 0;
    }
    let advice = read(raw);
    let touch = Touch {
        what: touch::ADVICE,
        space: advice.space,
        address: advice.start,
        end: (advice.start + advice.bytes + 4095) & !4095,
        pages: 0,
        detail: advice.advice,
        began_ns,
    };
    touches::tell(raw, &touch);
    0
}

#[inline(always)]
fn advised_plainly(turn: Turn, raw: *mut c_void) -> i32 {
    advised_all(turn, raw, Advice::plain)
}

#[inline(always)]
fn advised_by_description(turn: Turn, raw: *mut c_void) -> i32 {
    advised_all(turn, raw, Advice::described)
}

/// Entry of zap_page_range(vma, start, bytes) (mm/memory.c, up to 6.2 or so): MADV_DONTNEED for one area, if madvise is
/// what calls it.
#[inline(always)]
fn zaps(turn: Turn, raw: *mut c_void) -> i32 {
    let address = trampoline::argument(raw, 1);
    advised(turn, raw, address + trampoline::argument(raw, 2), DONTNEED)
}

/// Entry of madvise_free_single_vma(vma, start, end) (mm/madvise.c).
#[inline(always)]
fn frees(turn: Turn, raw: *mut c_void) -> i32 {
    advised(turn, raw, trampoline::argument(raw, 2), FREE)
}

/// `MADV_DONTNEED` (include/uapi/asm-generic/mman-common.h).
const DONTNEED: u64 = 4;
/// `MADV_FREE`.
const FREE: u64 = 8;
/// `MADV_DONTNEED_LOCKED`.
const DONTNEED_LOCKED: u64 = 24;

#[inline(always)]
fn advised(turn: Turn, raw: *mut c_void, end: u64, advice: u64) -> i32 {
    let Some(_share) = turn.watches(raw) else {
        return 0;
    };
    if !gate_is_open() || !grains::any() {
        return 0;
    }
    let touch = Touch {
        what: touch::ADVICE_FOR_AREA,
        space: facts::space_of(trampoline::argument(raw, 0)),
        address: trampoline::argument(raw, 1),
        end,
        pages: 0,
        detail: advice,
        began_ns: 0,
    };
    touches::tell(raw, &touch);
    0
}

both_turns! {
    fentry FEntryContext enter_do_madvise enter_do_madvise_again => advises_plainly;
    fentry FEntryContext enter_madvise_do_behavior enter_madvise_do_behavior_again => advises_by_description;
    fexit FExitContext leave_do_madvise leave_do_madvise_again => advised_plainly;
    fexit FExitContext leave_madvise_do_behavior leave_madvise_do_behavior_again => advised_by_description;
    fentry FEntryContext enter_zap_page_range enter_zap_page_range_again => zaps;
    fentry FEntryContext enter_madvise_free enter_madvise_free_again => frees;
}
