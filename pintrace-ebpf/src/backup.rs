//! Backup programs do the work of calls for which the kernel skipped the primary program.
//!
//! The kernel skips a program that is already active on the CPU (`__bpf_prog_enter_recur`, kernel/bpf/trampoline.c). That
//! happens when a thread is preempted inside the program and another thread calls the function there, or when an interrupt
//! does. Where threads can be preempted inside programs, each counting program is attached twice. The primary program
//! leaves a token for the backup. A backup that finds no token does the work, because the primary was skipped. A call is
//! lost only if the kernel skips both. If the kernel skips the backup, the token stays; if it then skips the primary of the
//! next call with the same frame address, that call is lost too, and counted. The return of change_protection has a second
//! backup, because many threads of one process are in that function at once and only its return tells what was changed.
//! There the second backup takes the token away and the first leaves it.
//!
//! The token is the address of the trampoline's frame. Primary and backup get that address as their context, and no two
//! calls in flight have the same one. A thread may migrate between the two programs, or be interrupted there by the same
//! function, so one word per CPU or per thread would not do.

use core::{arch::asm, ffi::c_void};

use pintrace_common::{counters::Total, limits};

use crate::{
    atomic::Word,
    count,
    facts::FACTS,
    map_ref::{Lookup, MapRef},
    maps,
};

/// Which of a hook's programs runs.
#[derive(Clone, Copy)]
pub enum Role {
    /// Does the work.
    Primary,
    /// Does the work if the primary was skipped; another backup follows.
    FirstBackup,
    /// Does the work if all programs before it were skipped.
    LastBackup,
}

/// The right to do a call's work. Its drop leaves the token.
pub struct Claim(Option<*mut c_void>);

impl Drop for Claim {
    // At the end, and not at the beginning: between the mark and the second copy there is nothing then for a thread to
    // be taken off its CPU in, while calls of others might take the word.
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(ctx) = self.0
            && FACTS.has_backups() != 0
            && let Some(mark) = token_of(ctx)
        {
            mark.store(ctx as u64);
        }
    }
}

impl Role {
    /// This copy's share in counting a call, if the call is its to count. To be asked once a call, and to be kept to the
    /// end.
    #[inline(always)]
    pub fn claim(self, ctx: *mut c_void) -> Option<Claim> {
        self.share(ctx, Total::RecoveredByBackup)
    }

    /// The same for a program that looks for findings.
    #[inline(always)]
    pub fn claim_mm_event(self, ctx: *mut c_void) -> Option<Claim> {
        self.share(ctx, Total::MmEventRecoveredByBackup)
    }

    #[inline(always)]
    fn share(self, ctx: *mut c_void, recovered: Total) -> Option<Claim> {
        match self {
            Self::Primary => Some(Claim(Some(ctx))),
            Self::FirstBackup | Self::LastBackup => {
                let is_last = matches!(self, Self::LastBackup);
                if let Some(mark) = token_of(ctx)
                    && mark.load() == ctx as u64
                {
                    if is_last {
                        mark.store(0);
                    }
                    return None;
                }
                count::total(recovered, 1);
                Some(Claim((!is_last).then_some(ctx)))
            }
        }
    }

    /// Counts a recovered call if this is a backup. For work that only one program can do: a backup that does it shows that
    /// the primary was skipped.
    #[inline(always)]
    pub fn recovered(self) {
        if !matches!(self, Self::Primary) {
            count::total(Total::RecoveredByBackup, 1);
        }
    }
}

/// The word for the mark of a call. Two calls that meet in one word while both are between the copies would have one of
/// them done twice, and taken for made good; there are so many words that they do not.
#[inline(always)]
fn token_of(ctx: *mut c_void) -> Option<Word> {
    maps::BACKUP_TOKENS
        .at(slot_of(ctx, limits::BACKUP_TOKENS))
        .map(MapRef::word)
}

/// A call's place among `places`, a power of two.
#[inline(always)]
pub fn slot_of(ctx: *mut c_void, places: u32) -> u32 {
    let low: u64;
    // SAFETY: a move. The verifier forbids arithmetic on a pointer, and takes half of one for a number if
    // it is moved by an instruction of its own.
    unsafe { asm!("w0 = w1", in("r1") ctx, lateout("r0") low, options(pure, readonly, nostack)) };
    // Fibonacci hashing.
    (low as u32).wrapping_mul(0x9e37_79b9) >> (32 - places.trailing_zeros())
}
