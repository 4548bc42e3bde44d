//! The budget of a session: judges the measured cost, and says which detail to give up next.
//!
//! The cost is the run time of the attached programs and the CPU time of the process, which contains the programs that
//! pintrace runs itself. A detail that was given up stays so until the session ends, so that the figures of one session
//! do not change their meaning back and forth.

use std::time::Duration;

use pintrace_events::units::Nanos;
use pintrace_events::{Detail, DetailShed};
use pintrace_model::own_cost::{OwnCost, SAMPLED_EVERY, Statistics};

use super::own_cost::watch::LatestCost;

/// The factor by which the time between two samples grows.
const FEWER_SAMPLES: u32 = 4;
/// Longest time between two samples after it has grown.
const MOST: Duration = Duration::from_secs(10);

/// The budget of a session.
#[derive(Debug)]
pub struct Budget {
    judge: Judge,
    latest: LatestCost,
    /// The details that can still be given up, in order.
    next: std::vec::IntoIter<Detail>,
}

impl Budget {
    /// Compares the latest cost with `limit`, a share of one CPU. `details` are the details that the session has, in the
    /// order in which to give them up.
    pub fn new(limit: f64, latest: LatestCost, details: Vec<Detail>) -> Self {
        Self {
            judge: Judge {
                limit,
                ..Judge::default()
            },
            latest,
            next: details.into_iter(),
        }
    }

    /// Returns the detail to give up at `now`, if the cost since the last judgement was above the budget.
    pub fn exceeded(&mut self, now: Nanos) -> Option<DetailShed> {
        let cost = self.latest.borrow().clone()?;
        let share = self.judge.share(&cost, now)?;
        if share <= self.judge.limit {
            return None;
        }
        Some(DetailShed {
            detail: self.next.next()?,
            cost_ppm: millionths(share),
            budget_ppm: millionths(self.judge.limit),
        })
    }
}

/// Returns the time between two samples after [`Detail::Samples`] was given up.
pub fn longer(interval: Duration) -> Duration {
    interval.max((interval * FEWER_SAMPLES).min(MOST))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest number that u64 has"
)]
fn millionths(share: f64) -> u64 {
    (share * 1e6).round() as u64
}

/// Turns samples of the own cost into shares of one CPU.
#[derive(Debug, Default)]
struct Judge {
    limit: f64,
    /// The end of the latest measurement that was judged.
    measured: Nanos,
    /// Time and CPU time of the process at the last judgement.
    last: Option<(Nanos, Nanos)>,
}

impl Judge {
    /// Returns the share of one CPU since the last judgement; `None` until the run time of the programs was measured
    /// again. If the kernel's statistics are refused, only the process counts.
    fn share(&mut self, cost: &OwnCost, now: Nanos) -> Option<f64> {
        let process = cost.process.cpu;
        let (then, before) = *self.last.get_or_insert((now, process));
        let programs = if let Statistics::Refused(_) = cost.run_time.statistics {
            if now.since(then).0 < SAMPLED_EVERY.0 {
                return None;
            }
            0.0
        } else {
            if cost.run_time.ended == self.measured {
                return None;
            }
            let latest = cost.run_time.latest.as_ref()?;
            let hooks = latest.runs.iter().filter(|(purpose, _)| purpose.is_hook());
            let time = hooks.map(|(_, runs)| runs.time.as_secs()).sum::<f64>();
            time / latest.over.as_secs()
        };
        let seconds = now.since(then).as_secs();
        if seconds <= 0.0 {
            return None;
        }
        self.measured = cost.run_time.ended;
        self.last = Some((now, process));
        Some(programs + process.since(before).as_secs() / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintrace_model::own_cost::{Measurement, ProcessCost, ProgramPurpose, RunTime, Runs};
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use tokio::sync::watch;

    const SECOND: u64 = 1_000_000_000;

    /// A cost with `programs` of the measured second in hooks, and `process` of CPU time, measured at `ended`.
    fn cost(programs: u64, process: u64, ended: u64) -> OwnCost {
        let runs = |time| Runs {
            count: 1,
            time: Nanos(time),
        };
        OwnCost {
            run_time: RunTime {
                statistics: Statistics::Sampled,
                latest: Some(Measurement {
                    over: Nanos(SECOND),
                    runs: BTreeMap::from([
                        (ProgramPurpose::Pins, runs(programs)),
                        (ProgramPurpose::Scan, runs(SECOND)),
                    ]),
                }),
                ended: Nanos(ended),
                ..RunTime::default()
            },
            process: ProcessCost {
                cpu: Nanos(process),
                ..ProcessCost::default()
            },
            ..OwnCost::default()
        }
    }

    #[test]
    fn programs_and_process_are_judged_once_for_each_measurement() {
        let mut judge = Judge::default();
        assert_eq!(judge.share(&cost(0, SECOND, 0), Nanos(SECOND)), None);
        // 1 % in hooks, and 0.3 s of CPU time in 30 s.
        let second = cost(SECOND / 100, SECOND + 3 * SECOND / 10, 5);
        let share = judge.share(&second, Nanos(31 * SECOND)).unwrap();
        assert!((share - 0.02).abs() < 1e-9, "{share}");
        assert_eq!(judge.share(&second, Nanos(40 * SECOND)), None);
    }

    #[test]
    fn without_statistics_the_process_is_judged_every_thirty_seconds() {
        let refused = |process| OwnCost {
            run_time: RunTime {
                statistics: Statistics::Refused("no right".to_owned()),
                ..RunTime::default()
            },
            ..cost(0, process, 0)
        };
        let mut judge = Judge::default();
        assert_eq!(judge.share(&refused(0), Nanos(0)), None);
        assert_eq!(judge.share(&refused(SECOND), Nanos(20 * SECOND)), None);
        let share = judge.share(&refused(3 * SECOND), Nanos(30 * SECOND)).unwrap();
        assert!((share - 0.1).abs() < 1e-9, "{share}");
    }

    #[test]
    fn details_go_in_order_and_only_above_the_budget() {
        let (show, latest) = watch::channel(None);
        let mut budget = Budget::new(0.01, latest, Detail::ALL.to_vec());
        assert_eq!(budget.exceeded(Nanos(0)), None);
        let mut at = |second: u64, programs: u64| {
            show.send_replace(Some(Arc::new(cost(programs, 0, second))));
            budget.exceeded(Nanos(second * SECOND))
        };
        assert_eq!(at(0, 0), None);
        assert_eq!(at(30, SECOND / 200), None);
        let first = at(60, SECOND / 20).unwrap();
        assert_eq!(
            (first.detail, first.cost_ppm, first.budget_ppm),
            (Detail::Samples, 50_000, 10_000)
        );
        assert_eq!(at(90, SECOND / 20).unwrap().detail, Detail::Findings);
        assert_eq!(at(120, SECOND / 20), None);
    }

    #[test]
    fn the_interval_grows_up_to_ten_seconds_and_never_shrinks() {
        let seconds = Duration::from_secs;
        assert_eq!(longer(seconds(1)), seconds(4));
        assert_eq!(longer(seconds(5)), seconds(10));
        assert_eq!(longer(seconds(60)), seconds(60));
    }
}
