//! How long extents were held: a histogram of the durations between pin and release.

use pintrace_events::units::Nanos;

/// The upper bounds of the classes in ns, and the names of the classes.
const BOUNDS: [(u64, &str); HoldTimes::CLASSES] = [
    (1_000_000, "< 1ms"),
    (10_000_000, "< 10ms"),
    (100_000_000, "< 100ms"),
    (1_000_000_000, "< 1s"),
    (10_000_000_000, "< 10s"),
    (60_000_000_000, "< 1m"),
    (600_000_000_000, "< 10m"),
    (3_600_000_000_000, "< 1h"),
    (86_400_000_000_000, "< 1d"),
    (u64::MAX, "longer"),
];

/// The number of extents by the time for which they were held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HoldTimes([u32; Self::CLASSES]);

/// A class of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldClass {
    /// The name, such as `< 10s`.
    pub name: &'static str,
    /// The times of the class are shorter than this; the last class has no bound.
    pub below: Option<Nanos>,
    /// Number of extents.
    pub extents: u32,
}

impl HoldTimes {
    /// Number of classes.
    pub const CLASSES: usize = 10;

    /// Counts an extent that was held for `time`.
    pub fn add(&mut self, time: Nanos) {
        let class = BOUNDS
            .partition_point(|(bound, _)| *bound <= time.0)
            .min(Self::CLASSES - 1);
        if let Some(count) = self.0.get_mut(class) {
            *count = count.saturating_add(1);
        }
    }

    /// Returns all classes, the shortest times first.
    pub fn classes(&self) -> impl Iterator<Item = HoldClass> + '_ {
        BOUNDS
            .iter()
            .zip(self.0)
            .map(|((bound, name), extents)| HoldClass {
                name,
                below: (*bound != u64::MAX).then_some(Nanos(*bound)),
                extents,
            })
    }

    /// Returns true if no extent was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; Self::CLASSES]
    }
}

impl FromIterator<Nanos> for HoldTimes {
    fn from_iter<T: IntoIterator<Item = Nanos>>(times: T) -> Self {
        let mut all = Self::default();
        times.into_iter().for_each(|time| all.add(time));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_class_above_it() {
        let second = 1_000_000_000;
        let times = [0, second - 1, second, u64::MAX].map(Nanos);
        let times: HoldTimes = times.into_iter().collect();
        let of = |below: Option<u64>| {
            let class = times.classes().find(|class| class.below == below.map(Nanos));
            class.map(|class| class.extents)
        };
        assert_eq!(of(Some(1_000_000)), Some(1));
        assert_eq!(of(Some(second)), Some(1));
        assert_eq!(of(Some(10 * second)), Some(1));
        assert_eq!(of(None), Some(1));
        assert!(!times.is_empty());
        assert!(HoldTimes::default().is_empty());
    }
}
