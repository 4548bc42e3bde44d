//! Pin calls: the long-term calls in flight, and what each account's calls took, pinned and failed with.

/// A long-term pin call in flight. The key is the id of its task, tgid << 32 | tid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct LongtermCall {
    /// One of [`phase`].
    pub phase: u64,
    /// Time of the entry (monotonic ns).
    pub began_ns: u64,
    /// Number of pages that the caller asks for.
    pub wanted: u64,
    /// Number of pages that the call has pinned and dropped again.
    pub dropped: u64,
    /// Number of pages that the kernel has migrated for the call.
    pub moved: u64,
    /// Address of the open file on which the call pins; 0 if unknown.
    pub file: u64,
    /// Descriptor of that file in the task; [`NO_DESCRIPTOR`] if unknown.
    pub descriptor: u64,
    /// Id of the account whose code makes the call: the account that the thread used last, if it holds pins by the same open
    /// file. 0 for none, and then the stack names the code.
    pub account: u64,
    /// Id of the kernel stack, or a negative number if none was taken.
    pub stack: i64,
    /// cgroup v2 id of the task.
    pub cgroup: u64,
    /// Address of the registers with which the task entered the kernel; 0 if unknown.
    pub registers: u64,
    /// Hash of number and arguments of the system call, as these registers had them.
    pub system_call: u64,
}

/// Stands for an unknown descriptor.
pub const NO_DESCRIPTOR: u64 = u64::MAX;

/// Where a long-term call is.
pub mod phase {
    /// In the pin function, before `__gup_longterm_locked` (mm/gup.c). Only gup-fast runs there.
    pub const FAST: u64 = 0;
    /// In `__gup_longterm_locked`.
    pub const SLOW: u64 = 1;
    /// In `migrate_longterm_unpinnable_folios`, which drops all pins of the call and migrates pages.
    pub const MIGRATES: u64 = 2;
    /// Back from `__gup_longterm_locked`, and not yet seen to return from the pin function. An entry that stays here is left of
    /// a call whose return the kernel skipped.
    pub const DONE: u64 = 3;
    /// Back from the pin function. The hook adds the pages to the ledger.
    pub const COUNTED: u64 = 4;
}

/// What the long-term pin calls of an account took. All figures count since the account was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PinCalls {
    /// Number of calls whose duration is known, by duration: see [`bucket_of`].
    pub durations: [u64; BUCKETS],
    /// Time that these calls took together (ns).
    pub total_ns: u64,
    /// Time that the longest of these calls took (ns).
    pub longest_ns: u64,
    /// Number of calls whose entry no hook saw.
    pub untimed: u64,
    /// Number of pages that the calls asked for.
    pub wanted: u64,
    /// Number of pages that the calls pinned.
    pub pinned: u64,
    /// Number of pages that the calls pinned and dropped again, to migrate pages or because the call failed.
    pub dropped: u64,
    /// Number of pages that the kernel migrated for the calls, out of ZONE_MOVABLE and CMA pageblocks.
    pub moved: u64,
    /// Number of calls that dropped pins and pinned again.
    pub retried: u64,
    /// Number of registrations.
    pub registrations: u64,
    /// The latest registration.
    pub latest: Registration,
    /// The registration before.
    pub previous: Registration,
}

/// Long-term pin calls of one account without a gap of [`REGISTRATION_GAP_NS`]. A driver makes thousands of pin calls for
/// one registration of memory (`ib_umem_get`, drivers/infiniband/core/umem.c: 512 pages each).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Registration {
    /// Time at which the first call began (monotonic ns).
    pub began_ns: u64,
    /// Time at which the last call ended (monotonic ns).
    pub ended_ns: u64,
    /// Number of calls.
    pub calls: u64,
    /// Number of pages that the calls asked for.
    pub wanted: u64,
    /// Number of pages that the calls pinned.
    pub pinned: u64,
}

/// Time without a call that ends a registration.
pub const REGISTRATION_GAP_NS: u64 = 1_000_000_000;

/// Number of counts in [`PinCalls::durations`].
pub const BUCKETS: usize = 28;

/// log2 of the bound of the first bucket in ns: 1.024 us.
pub const FIRST_BUCKET_SHIFT: u32 = 10;

/// Returns the index of the bucket for a duration: bucket k has the durations of less than 2^(10 + k) ns that are in no
/// bucket before, and the last bucket all longer ones.
#[inline]
#[must_use]
pub const fn bucket_of(ns: u64) -> usize {
    let bucket = u64::BITS - (ns >> FIRST_BUCKET_SHIFT).leading_zeros();
    if bucket as usize >= BUCKETS {
        BUCKETS - 1
    } else {
        bucket as usize
    }
}

/// Key of a count of failed pin calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FailureKey {
    /// Id of the account.
    pub account: u32,
    /// Error number; [`SHORT`] for calls that pinned fewer pages than asked for.
    pub errno: u32,
}

/// Stands for the error number of a long-term call that pinned some of its pages. The pin functions then return the number
/// of these pages, and no error (`__get_user_pages`, mm/gup.c).
pub const SHORT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_powers_of_two() {
        assert_eq!(bucket_of(0), 0);
        assert_eq!(bucket_of(1023), 0);
        assert_eq!(bucket_of(1024), 1);
        assert_eq!(bucket_of(2047), 1);
        assert_eq!(bucket_of(2048), 2);
        assert_eq!(bucket_of((1 << 36) - 1), BUCKETS - 2);
        assert_eq!(bucket_of(1 << 36), BUCKETS - 1);
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }
}
