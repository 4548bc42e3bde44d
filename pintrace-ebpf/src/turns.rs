//! Making good what the kernel skips.
//!
//! The kernel skips a program that is already active on that CPU (`__bpf_prog_enter_recur`,
//! kernel/bpf/trampoline.c): whoever calls while a thread was taken off the CPU inside the program, or
//! while an interrupt came to it. So where that can happen each counting program is attached twice. The first
//! copy leaves a mark for the second; the second finds none if the first was skipped, and does the
//! work. Only a call that both copies are kept from is lost. Where the second was kept from a call, the mark stays: if the
//! first is kept from the next call at the same place, that is lost too, and counted. The return of
//! change_protection, which many threads of one process are in at once and which alone tells what was changed, has a third
//! copy: it takes the mark away, the second leaves it.
//!
//! The mark is the address of the trampoline's frame: both copies get it as their context, and no two
//! calls under way have the same. A thread may go to another CPU between the copies, or be interrupted
//! there by the same function, so neither a word for each CPU nor one for each thread would do.

use core::{arch::asm, ffi::c_void};

use pintrace_common::{counters::Total, limits};

use crate::{atomic::Word, count, facts, maps};

/// Which copy of a program runs.
#[derive(Clone, Copy)]
pub enum Turn {
    /// The one that does the work.
    First,
    /// The one that does it if the first was skipped, where another follows.
    Middle,
    /// The one that does it if all before it were skipped.
    Last,
}

/// The right to do a call's work. While it lasts the work is being done; its end leaves the mark.
pub struct Share(Option<*mut c_void>);

impl Drop for Share {
    // At the end, and not at the beginning: between the mark and the second copy there is nothing then for a thread to
    // be taken off its CPU in, while calls of others might take the word.
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(ctx) = self.0
            && facts::two_turns() != 0
            && let Some(mark) = mark_of(ctx)
        {
            mark.store(ctx as u64);
        }
    }
}

impl Turn {
    /// This copy's share in counting a call, if the call is its to count. To be asked once a call, and to be kept to the
    /// end.
    #[inline(always)]
    pub fn counts(self, ctx: *mut c_void) -> Option<Share> {
        self.share(ctx, Total::MadeGood)
    }

    /// The same for a program that looks for findings.
    #[inline(always)]
    pub fn watches(self, ctx: *mut c_void) -> Option<Share> {
        self.share(ctx, Total::WatchMadeGood)
    }

    #[inline(always)]
    fn share(self, ctx: *mut c_void, made_good: Total) -> Option<Share> {
        match self {
            Self::First => Some(Share(Some(ctx))),
            Self::Middle | Self::Last => {
                let is_last = matches!(self, Self::Last);
                if let Some(mark) = mark_of(ctx)
                    && mark.load() == ctx as u64
                {
                    if is_last {
                        mark.store(0);
                    }
                    return None;
                }
                count::total(made_good, 1);
                Some(Share((!is_last).then_some(ctx)))
            }
        }
    }

    /// Did what the other copy finds done, and would not do again: if this is the second, the first was skipped.
    #[inline(always)]
    pub fn made_good(self) {
        if !matches!(self, Self::First) {
            count::total(Total::MadeGood, 1);
        }
    }
}

/// The word for the mark of a call. Two calls that meet in one word while both are between the copies would have one of
/// them done twice, and taken for made good; there are so many words that they do not.
#[inline(always)]
fn mark_of(ctx: *mut c_void) -> Option<Word> {
    // SAFETY: a live map value, accessed atomically.
    maps::MARKS
        .get_ptr_mut(place_of(ctx, limits::MARKS))
        .map(|word| unsafe { Word::at(word) })
}

/// A call's place among `places`, a power of two.
#[inline(always)]
pub fn place_of(ctx: *mut c_void, places: u32) -> u32 {
    let low: u64;
    // SAFETY: a move. The verifier forbids arithmetic on a pointer, and takes half of one for a number if
    // it is moved by an instruction of its own.
    unsafe { asm!("w0 = w1", in("r1") ctx, lateout("r0") low, options(pure, readonly, nostack)) };
    // Fibonacci hashing.
    (low as u32).wrapping_mul(0x9e37_79b9) >> (32 - places.trailing_zeros())
}
