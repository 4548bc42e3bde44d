//! The median of repeated runs, and the rule that drops stalled runs.

/// A run that is slower than the fastest run by this factor has stalled: in a guest whose clock counts instructions, a run
/// sometimes waits for a timer of a device, and then reads up to 100 times too low.
const STALLED: f64 = 2.0;

/// The median of the runs that did not stall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Median {
    /// The median.
    pub(crate) value: f64,
    /// Number of dropped runs.
    pub(crate) dropped: usize,
}

/// Returns the median time of the runs that did not stall; `None` without runs.
pub(crate) fn of_times(times: &[f64]) -> Option<Median> {
    let fastest = times.iter().copied().min_by(f64::total_cmp)?;
    of_kept(times, |time| time <= fastest * STALLED)
}

/// Returns the median rate of the runs that did not stall; `None` without runs.
pub(crate) fn of_rates(rates: &[f64]) -> Option<Median> {
    let fastest = rates.iter().copied().max_by(f64::total_cmp)?;
    of_kept(rates, |rate| rate * STALLED >= fastest)
}

/// Returns the median of all values; `None` without values.
pub(crate) fn of_all(values: &[f64]) -> Option<f64> {
    of_kept(values, |_| true).map(|median| median.value)
}

fn of_kept(values: &[f64], is_kept: impl Fn(f64) -> bool) -> Option<Median> {
    let mut kept: Vec<f64> = values.iter().copied().filter(|value| is_kept(*value)).collect();
    kept.sort_by(f64::total_cmp);
    let half = kept.len() / 2;
    let value = match kept.len() % 2 {
        1 => kept[half],
        _ => f64::midpoint(*kept.get(half.checked_sub(1)?)?, kept[half]),
    };
    Some(Median {
        value,
        dropped: values.len() - kept.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalled_runs_are_dropped() {
        let rates = of_rates(&[450.0, 40_000.0, 45_000.0, 44_000.0]).unwrap();
        assert_eq!((rates.value, rates.dropped), (44_000.0, 1));
        let times = of_times(&[10.0, 12.0, 900.0]).unwrap();
        assert_eq!((times.value, times.dropped), (11.0, 1));
    }

    #[test]
    fn the_median_of_one_run_is_the_run() {
        let one = Median {
            value: 3.0,
            dropped: 0,
        };
        assert_eq!(of_times(&[3.0]), Some(one));
        assert_eq!(of_rates(&[3.0]), Some(one));
        assert_eq!(of_times(&[]), None);
    }
}
