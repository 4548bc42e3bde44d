//! The totals of pin calls, of one account or of several.

use std::collections::BTreeMap;

use pintrace_common::pin_calls::{BUCKETS, FIRST_BUCKET_SHIFT};
use pintrace_events::units::Nanos;
use pintrace_events::{PinCallsSampled, Registration};

/// Most error numbers kept of one account; Linux has 133.
const MOST_ERRORS: usize = 256;

/// Totals of pin calls. Short-term calls are only counted if they fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallTotals {
    /// Calls by duration: bucket k has the durations of less than 2^(10 + k) ns, the last bucket all longer ones.
    pub durations: [u64; BUCKETS],
    /// Time of these calls together.
    pub total: Nanos,
    /// Time of the longest of these calls.
    pub longest: Nanos,
    /// Calls whose duration is unknown, because no hook saw the entry.
    pub untimed: u64,
    /// Pages that the calls asked for.
    pub wanted: u64,
    /// Pages that the calls pinned.
    pub pinned: u64,
    /// Pages that the calls pinned and dropped again.
    pub dropped: u64,
    /// Pages that the kernel migrated for the calls.
    pub moved: u64,
    /// Calls that dropped pins and pinned again.
    pub retried: u64,
    /// Registrations: calls of one thread by one code path without a gap of a second.
    pub registrations: u64,
    /// The registration that ended last.
    pub latest: Registration,
    /// The registration that took longest, among those that were sampled.
    pub slowest: Registration,
    /// Failed calls by error number; 0 stands for calls that pinned fewer pages than they asked for.
    pub failures: BTreeMap<u32, u64>,
}

impl CallTotals {
    /// Takes the sample of an account in place of the one before.
    pub(super) fn sample(&mut self, sample: &PinCallsSampled) {
        let registrations = [sample.previous.as_ref(), Some(&sample.latest)];
        let slowest = registrations.into_iter().flatten().copied().chain([self.slowest]);
        let mut durations = [0; BUCKETS];
        for (bucket, count) in durations.iter_mut().zip(&sample.durations) {
            *bucket = *count;
        }
        *self = Self {
            durations,
            total: sample.total,
            longest: sample.longest,
            untimed: sample.untimed,
            wanted: sample.wanted,
            pinned: sample.pinned,
            dropped: sample.dropped,
            moved: sample.moved,
            retried: sample.retried,
            registrations: sample.registrations,
            latest: sample.latest,
            slowest: slowest.max_by_key(took).unwrap_or_default(),
            failures: sample
                .failures
                .iter()
                .take(MOST_ERRORS)
                .map(|(&errno, &count)| (errno, count))
                .collect(),
        };
    }

    /// Adds the calls of another account.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, count) in self.durations.iter_mut().zip(other.durations) {
            *sum = sum.saturating_add(count);
        }
        let sums = [
            (&mut self.total.0, other.total.0),
            (&mut self.untimed, other.untimed),
            (&mut self.wanted, other.wanted),
            (&mut self.pinned, other.pinned),
            (&mut self.dropped, other.dropped),
            (&mut self.moved, other.moved),
            (&mut self.retried, other.retried),
            (&mut self.registrations, other.registrations),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
        self.longest = self.longest.max(other.longest);
        if other.latest.ended > self.latest.ended {
            self.latest = other.latest;
        }
        if took(&other.slowest) > took(&self.slowest) {
            self.slowest = other.slowest;
        }
        for (errno, count) in &other.failures {
            let sum = self.failures.entry(*errno).or_insert(0);
            *sum = sum.saturating_add(*count);
        }
    }

    /// Returns the number of long-term calls that have returned.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.durations
            .iter()
            .copied()
            .fold(self.untimed, u64::saturating_add)
    }

    /// Returns the number of calls that failed or pinned fewer pages than they asked for.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().copied().fold(0, u64::saturating_add)
    }

    /// Returns the mean duration; `None` if no duration is known.
    #[must_use]
    pub fn mean(&self) -> Option<Nanos> {
        let timed = self.calls() - self.untimed;
        self.total.0.checked_div(timed).map(Nanos)
    }

    /// Returns the bound below which the durations of `share` in 1000 calls are; `None` if no duration is known.
    #[must_use]
    pub fn below(&self, share: u64) -> Option<Nanos> {
        let timed = self.calls() - self.untimed;
        let rank = u128::from(timed) * u128::from(share);
        let mut seen = 0u128;
        for (bucket, count) in (0u32..).zip(self.durations) {
            seen += u128::from(count) * 1000;
            if count != 0 && seen >= rank {
                return Some(self.longest.min(Nanos(bound(bucket))));
            }
        }
        None
    }
}

/// Returns the upper bound of a bucket in ns.
pub(crate) const fn bound(bucket: u32) -> u64 {
    if bucket as usize >= BUCKETS - 1 {
        u64::MAX
    } else {
        1 << (FIRST_BUCKET_SHIFT + bucket)
    }
}

/// Returns the time that a registration took.
pub(crate) fn took(registration: &Registration) -> Nanos {
    registration.ended.since(registration.began)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintrace_common::pin_calls::bucket_of;

    fn registration(began: u64, ended: u64) -> Registration {
        Registration {
            began: Nanos(began),
            ended: Nanos(ended),
            ..Registration::default()
        }
    }

    fn totals(durations: &[u64], longest: u64) -> CallTotals {
        let mut totals = CallTotals {
            longest: Nanos(longest),
            total: Nanos(durations.iter().sum()),
            ..CallTotals::default()
        };
        for duration in durations {
            totals.durations[bucket_of(*duration)] += 1;
        }
        totals
    }

    #[test]
    fn quantiles_are_bounds_of_buckets_and_never_above_the_longest() {
        let totals = totals(&[1000, 1500, 3000, 70_000], 70_000);
        assert_eq!(totals.below(500), Some(Nanos(2048)));
        assert_eq!(totals.below(990), Some(Nanos(70_000)));
        assert_eq!(totals.mean(), Some(Nanos(18_875)));
        assert_eq!(
            (CallTotals::default().below(500), CallTotals::default().mean()),
            (None, None)
        );
    }

    #[test]
    fn the_slowest_registration_stays() {
        let mut totals = CallTotals::default();
        let sample = |previous, latest| PinCallsSampled {
            previous,
            latest,
            ..PinCallsSampled::default()
        };
        totals.sample(&sample(None, registration(10, 90)));
        totals.sample(&sample(None, registration(100, 110)));
        assert_eq!(
            (totals.slowest, totals.latest),
            (registration(10, 90), registration(100, 110))
        );
        totals.sample(&sample(Some(registration(200, 300)), registration(400, 401)));
        assert_eq!(totals.slowest, registration(200, 300));
    }

    #[test]
    fn forged_counts_saturate() {
        let mut sum = CallTotals {
            wanted: u64::MAX,
            durations: [u64::MAX; BUCKETS],
            failures: BTreeMap::from([(12, u64::MAX)]),
            ..CallTotals::default()
        };
        sum.add(&sum.clone());
        assert_eq!(
            (sum.wanted, sum.calls(), sum.failed()),
            (u64::MAX, u64::MAX, u64::MAX)
        );
        assert!(sum.below(500).is_some());
    }
}
