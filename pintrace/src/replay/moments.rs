//! The moments of a recording: its ticks and its end. At a moment, the samples of one tick are complete.

use pintrace_events::units::Nanos;

/// The most moments that are listed, 24 bytes each: twelve days at one a second.
const MOST: usize = 1 << 20;

/// A moment that is nearer to a time than this is the moment of the time, also if it is later: views show times rounded.
const NEAR: Nanos = Nanos(500_000_000);

/// A moment of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Time from the first event.
    pub(super) time: Nanos,
    /// Number of events up to the moment.
    pub(super) events: u64,
}

/// The moments in order. A recording with more moments than fit has every second one, every fourth one and so on, and always
/// the last one.
#[derive(Debug)]
pub(super) struct Moments {
    most: usize,
    listed: Vec<Moment>,
    /// One of `stride` moments is listed.
    stride: u64,
    /// Number of moments so far.
    number: u64,
    last: Option<Moment>,
}

impl Default for Moments {
    fn default() -> Self {
        Self::new(MOST)
    }
}

impl Moments {
    /// Returns an empty list for at most `most` moments and the last one.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most: most.max(2),
            listed: Vec::new(),
            stride: 1,
            number: 0,
            last: None,
        }
    }

    /// Adds the next moment. Times never go back.
    pub(super) fn push(&mut self, moment: Moment) {
        self.last = Some(moment);
        if self.number.is_multiple_of(self.stride) {
            if self.listed.len() >= self.most {
                self.listed = self.listed.iter().copied().step_by(2).collect();
                self.stride = self.stride.saturating_mul(2);
            }
            if self.number.is_multiple_of(self.stride) {
                self.listed.push(moment);
            }
        }
        self.number = self.number.saturating_add(1);
    }

    /// Returns the number of moments that can be shown.
    pub(super) fn len(&self) -> usize {
        self.listed.len() + usize::from(self.last_is_extra())
    }

    /// Returns a moment by its index.
    pub(super) fn get(&self, index: usize) -> Option<Moment> {
        if index == self.listed.len() && self.last_is_extra() {
            return self.last;
        }
        self.listed.get(index).copied()
    }

    /// Returns the last moment.
    pub(super) fn last(&self) -> Option<Moment> {
        self.last
    }

    /// Returns the index of the moment nearest to `time`, if it is [`NEAR`]. Otherwise returns the index of the last moment
    /// that is not later than `time`, or of the first moment if there is none.
    pub(super) fn at(&self, time: Nanos) -> usize {
        if self.last.is_some_and(|last| last.time <= time) {
            return self.len().saturating_sub(1);
        }
        let later = self.listed.partition_point(|moment| moment.time <= time);
        let earlier = later.saturating_sub(1);
        let distance = |index| self.get(index).map(|moment| moment.time.0.abs_diff(time.0));
        match (distance(earlier), distance(later)) {
            (Some(before), Some(after)) if after <= NEAR.0 && after < before => later,
            _ => earlier,
        }
    }

    fn last_is_extra(&self) -> bool {
        self.last != self.listed.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn moments(most: usize, number: u64) -> Moments {
        let mut moments = Moments::new(most);
        for index in 0..number {
            moments.push(Moment {
                time: Nanos(index * 10 * SECOND),
                events: index + 1,
            });
        }
        moments
    }

    #[test]
    fn a_long_recording_has_every_second_moment_and_the_last() {
        for number in 0..200 {
            let moments = moments(8, number);
            assert!(moments.len() <= 9, "{number}");
            let times: Vec<u64> = (0..moments.len())
                .map(|index| moments.get(index).unwrap().time.0)
                .collect();
            assert!(times.is_sorted_by(|before, after| before < after), "{times:?}");
            if number > 0 {
                assert_eq!(times[0], 0);
                assert_eq!(times.last(), Some(&((number - 1) * 10 * SECOND)));
            }
        }
    }

    #[test]
    fn a_time_between_two_moments_is_at_the_earlier_one() {
        let moments = moments(100, 5);
        let at = [0, 9, 10, 39, 40].map(|time| moments.at(Nanos(time * SECOND)));
        assert_eq!(at, [0, 0, 1, 3, 4]);
        assert_eq!(moments.at(Nanos(u64::MAX)), 4);
        assert_eq!(Moments::default().at(Nanos(7)), 0);
    }

    #[test]
    fn a_time_is_at_a_moment_within_half_a_second() {
        let moments = moments(100, 5);
        let at = [9_400, 9_500, 9_999, 10_499, 39_500].map(|time| moments.at(Nanos(time * SECOND / 1_000)));
        assert_eq!(at, [0, 1, 1, 1, 4]);
    }

    #[test]
    fn of_two_moments_within_half_a_second_the_nearer_one_counts() {
        let mut moments = Moments::default();
        for (time, events) in [(100, 1), (400, 2)] {
            let time = Nanos(time * SECOND / 1_000);
            moments.push(Moment { time, events });
        }
        moments.push(Moment {
            time: Nanos(SECOND),
            events: 3,
        });
        let at = [0, 240, 260, 690, 710].map(|time| moments.at(Nanos(time * SECOND / 1_000)));
        assert_eq!(at, [0, 0, 1, 1, 2]);
    }
}
