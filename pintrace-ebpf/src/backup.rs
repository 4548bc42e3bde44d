//! Backup programs do the work of calls for which the kernel skipped the primary program.
//!
//! The kernel skips a program that is already active on the CPU (`__bpf_prog_enter_recur`, kernel/bpf/trampoline.c). A
//! skip happens when a thread is preempted inside the program, or interrupted, and the function is called again on the
//! CPU. If threads can be preempted inside programs, each counting program is attached twice. The primary program
//! leaves a token for the backup. A backup that finds no token does the work, because the primary was skipped. A call
//! is lost only if the kernel skips both programs. If the kernel skips the backup, the token stays. If the kernel then
//! skips the primary of the next call with the same frame address, that call is lost too, and counted. The return of
//! change_protection has a second backup: many threads of one process are in that function at once, and only its return
//! shows the number of changed pages. There the second backup removes the token and the first backup leaves the token
//! in place.
//!
//! The token is the address of the trampoline's frame. Primary and backup get the address as their context, and no two
//! calls in flight have the same frame. A thread may migrate between the two programs, or an interrupt may call the
//! same function there, so one word for each CPU or thread would not be enough.

use core::{arch::asm, ffi::c_void};

use pintrace_common::{counters::Total, limits};

use crate::{
    atomic::Word,
    count,
    facts::FACTS,
    map_ref::{Lookup, MapRef},
    maps,
    preemption::Stay,
};

/// The program of a hook that is running.
#[derive(Clone, Copy)]
pub enum Role {
    /// Does the work.
    Primary,
    /// Does the work if the primary was skipped; another backup follows.
    FirstBackup,
    /// Does the work if all programs before it were skipped.
    LastBackup,
}

/// The right to do a call's work. The drop of the claim leaves the token.
pub struct Claim(Option<*mut c_void>);

/// A claim of a thread that stays on its CPU. The fields drop in order: the token is left before the thread may go.
pub struct ClaimOnCpu(#[expect(dead_code, reason = "for its drop")] Claim, Stay);

impl Drop for Claim {
    // The program leaves the token at its end. A token left at the beginning would be exposed for longer: a thread
    // could be preempted between token and backup, while other calls overwrite the word.
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(ctx) = self.0
            && FACTS.has_backups() != 0
        {
            leave_token(ctx);
        }
    }
}

impl Role {
    /// Returns the right to do a call's work, if the work is this program's. A program claims once for each call, and
    /// keeps the claim to its end.
    #[inline(always)]
    pub fn claim(self, ctx: *mut c_void) -> Option<Claim> {
        self.share(ctx, Total::RecoveredByBackup)
    }

    /// Returns the right to do a call's work without being switched away ([`crate::preemption`]), if the work is this
    /// program's. A backup looks for the token before, so that it costs little when nothing was skipped.
    #[inline(always)]
    pub fn claim_on_cpu(self, ctx: *mut c_void) -> Option<ClaimOnCpu> {
        let claim = self.claim(ctx)?;
        Some(ClaimOnCpu(claim, Stay::begin()))
    }

    /// Does the same as [`Self::claim_on_cpu`] for a program of a finding hook. Where programs stay on their CPU, finding
    /// hooks have no backups: a second program would cost every process of the machine as much as the first, and the
    /// few skipped calls are counted.
    #[inline(always)]
    pub fn claim_mm_event(self, ctx: *mut c_void) -> Option<ClaimOnCpu> {
        let claim = if FACTS.mm_event_backups() == 0 {
            Claim(None)
        } else {
            self.share(ctx, Total::MmEventRecoveredByBackup)?
        };
        Some(ClaimOnCpu(claim, Stay::begin()))
    }

    #[inline(always)]
    fn share(self, ctx: *mut c_void, recovered: Total) -> Option<Claim> {
        match self {
            Self::Primary => Some(Claim(Some(ctx))),
            Self::FirstBackup | Self::LastBackup => {
                let is_last = matches!(self, Self::LastBackup);
                if has_token(ctx, is_last) {
                    return None;
                }
                count::total(recovered, 1);
                Some(Claim((!is_last).then_some(ctx)))
            }
        }
    }

    /// Counts a recovered call if this program is a backup. For work that only one program can do: a backup that does
    /// the work shows that the primary was skipped.
    #[inline(always)]
    pub fn recovered(self) {
        if !matches!(self, Self::Primary) {
            count::total(Total::RecoveredByBackup, 1);
        }
    }
}

/// Tokens of the calls that share a bucket.
type Bucket = MapRef<[u64; limits::TOKENS_PER_BUCKET]>;

/// Returns the bucket for the token of a call. A thread may be switched away between primary and backup, so the bucket
/// may have tokens of other calls.
#[inline(always)]
fn bucket_of(ctx: *mut c_void) -> Option<Bucket> {
    maps::BACKUP_TOKENS.at(slot_of(ctx, limits::TOKEN_BUCKETS))
}

#[inline(always)]
fn token(bucket: Bucket, index: usize) -> Word {
    // SAFETY: an aligned word inside a live map value.
    unsafe { Word::at(bucket.as_ptr().cast::<u64>().add(index)) }
}

/// Leaves the token of a call. A token that stayed, because the kernel skipped the backup of an earlier call, gives way if
/// the bucket is full.
#[inline(always)]
fn leave_token(ctx: *mut c_void) {
    let Some(bucket) = bucket_of(ctx) else {
        return;
    };
    let mut index = 0;
    while index < limits::TOKENS_PER_BUCKET {
        let now = token(bucket, index).load();
        if now == ctx as u64 || now == 0 && token(bucket, index).swap(0, ctx as u64) {
            return;
        }
        index += 1;
    }
    token(bucket, 0).store(ctx as u64);
}

/// Returns true if the primary has left the token of a call; `takes` removes the token.
#[inline(always)]
fn has_token(ctx: *mut c_void, takes: bool) -> bool {
    let Some(bucket) = bucket_of(ctx) else {
        return false;
    };
    let mut index = 0;
    while index < limits::TOKENS_PER_BUCKET {
        let word = token(bucket, index);
        if word.load() == ctx as u64 {
            if takes {
                word.store(0);
            }
            return true;
        }
        index += 1;
    }
    false
}

/// Returns the slot of a call among `slots`, a power of two.
#[inline(always)]
pub fn slot_of(ctx: *mut c_void, slots: u32) -> u32 {
    let low: u64;
    // SAFETY: a register move. The verifier forbids arithmetic on a pointer, but takes the lower half of a pointer for
    // a number after a separate move.
    unsafe { asm!("w0 = w1", in("r1") ctx, lateout("r0") low, options(pure, readonly, nostack)) };
    // Fibonacci hashing.
    (low as u32).wrapping_mul(0x9e37_79b9) >> (32 - slots.trailing_zeros())
}
