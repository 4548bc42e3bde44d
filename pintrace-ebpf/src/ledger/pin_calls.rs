//! Counts what pin calls took, pinned and failed with, by account.

use aya_ebpf::bindings::BPF_NOEXIST;
use pintrace_common::{
    counters::Loss,
    pin_calls::{BUCKETS, FailureKey, PinCalls, REGISTRATION_GAP_NS, Registration, SHORT, bucket_of},
};

use crate::map_ref::{Lookup, MapRef, get, set, word};
use crate::{
    atomic::Word,
    clock, count,
    ledger::{longterm_scope, state},
    maps,
};

/// What a call has pinned.
#[derive(Clone, Copy)]
pub struct Outcome {
    /// Number of pages that the caller asked for; 0 if only the mark of the call knows.
    pub wanted: u64,
    /// Number of pages that the call covers.
    pub pinned: u64,
    /// Error number; 0 if the call has not failed.
    pub errno: u64,
    /// The call is one of `pin_user_pages_fast`, on whose entry a hook can be attached.
    pub fast: bool,
}

/// In the first argument of [`pintrace_pin_call_ended`]: see [`Outcome::fast`].
const FAST: u64 = 1 << 16;

/// Counts a call that has failed, or is long-term. The ledger has the pages of the call.
#[inline(always)]
pub fn ended(account: u32, longterm: bool, outcome: Outcome) {
    if longterm || outcome.errno != 0 {
        let fast = if outcome.fast { FAST } else { 0 };
        let who = u64::from(account) << 32 | fast | outcome.errno << 1 | u64::from(longterm);
        pintrace_pin_call_ended(who, outcome.wanted, outcome.pinned);
    }
}

/// Does the work of [`ended`]. `who` holds four parts: the id of the account from bit 32 up, [`FAST`], the error number
/// from bit 1 up, and 1 in bit 0 for a long-term call.
///
/// The function is global, so that the verifier follows it once and not on every path.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_pin_call_ended(who: u64, wanted: u64, pinned: u64) -> u32 {
    let account = (who >> 32) as u32;
    let errno = (who as u32 & 0xffff) >> 1;
    if who & 1 == 0 {
        count_failure(account, errno);
        return 0;
    }
    let (began, dropped, moved, known) = match longterm_scope::of_task() {
        Some(call) => (
            get!(call.began_ns),
            get!(call.dropped),
            get!(call.moved),
            get!(call.wanted),
        ),
        None => (0, 0, 0, 0),
    };
    longterm_scope::forget();
    // gup-fast had pinned a part of the pages before the entry that a hook saw (`gup_fast_fallback`, mm/gup.c).
    let began = if wanted > known { 0 } else { began };
    let wanted = if wanted == 0 { known } else { wanted };
    if errno != 0 {
        count_failure(account, errno);
    } else if pinned < wanted {
        count_failure(account, SHORT);
    }
    let Some(calls) = maps::PIN_CALLS.at(account) else {
        return 0;
    };
    let now = clock::time();
    if began == 0 {
        word!(calls.untimed).add(1);
        if who & FAST != 0 {
            state::untimed_calls().add(1);
        }
    } else {
        count_duration(calls, now - began);
    }
    word!(calls.wanted).add(wanted);
    word!(calls.pinned).add(pinned);
    word!(calls.dropped).add(dropped);
    word!(calls.moved).add(moved);
    if dropped != 0 && pinned != 0 {
        word!(calls.retried).add(1);
    }
    add_to_registration(calls, if began == 0 { now } else { began }, now, wanted, pinned);
    0
}

#[inline(always)]
fn count_duration(calls: MapRef<PinCalls>, ns: u64) {
    word!(calls.total_ns).add(ns);
    // Only account 0 belongs to several threads.
    if word!(calls.longest_ns).load() < ns {
        word!(calls.longest_ns).store(ns);
    }
    let bucket = bucket_of(ns);
    if bucket < BUCKETS {
        // SAFETY: an aligned word inside a live map value.
        unsafe { Word::at((&raw mut (*calls.as_ptr()).durations).cast::<u64>().add(bucket)) }.add(1);
    }
}

/// Adds a call to the latest registration of its account, or begins a registration.
#[inline(always)]
fn add_to_registration(calls: MapRef<PinCalls>, began: u64, now: u64, wanted: u64, pinned: u64) {
    let mut latest = get!(calls.latest);
    if get!(calls.registrations) == 0 || began > latest.ended_ns + REGISTRATION_GAP_NS {
        set!(calls.previous = latest);
        latest = Registration {
            began_ns: began,
            ..Registration::default()
        };
        word!(calls.registrations).add(1);
    }
    latest.ended_ns = now;
    latest.calls += 1;
    latest.wanted += wanted;
    latest.pinned += pinned;
    set!(calls.latest = latest);
}

#[inline(always)]
fn count_failure(account: u32, errno: u32) {
    if let Some(account) = maps::ACCOUNTS.at(account) {
        word!(account.failed).add(1);
    }
    let key = FailureKey { account, errno };
    if let Some(failures) = maps::PIN_FAILURES.at(key) {
        failures.word().add(1);
    } else if maps::PIN_FAILURES.insert(key, 1, u64::from(BPF_NOEXIST)).is_err() {
        // Account 0 belongs to several threads: another may have made the entry.
        match maps::PIN_FAILURES.at(key) {
            Some(failures) => failures.word().add(1),
            None => count::loss(Loss::PinFailuresFull, 1),
        }
    }
}
