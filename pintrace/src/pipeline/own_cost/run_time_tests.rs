use pintrace_model::own_cost::{ProgramPurpose, Runs};

use super::*;

const SECOND: u64 = 1_000_000_000;

/// A switch that records its states, or refuses.
#[derive(Debug, Default)]
struct Recorded {
    states: Vec<bool>,
    refuses: bool,
}

impl Switch for Recorded {
    fn set(&mut self, on: bool) -> Result<(), String> {
        if self.refuses {
            return Err("no.".to_owned());
        }
        self.states.push(on);
        Ok(())
    }
}

/// Takes a sample each second. The programs run 100 times a second.
fn sample(meter: &mut RunTimeMeter<Recorded>, second: u64, looked_at: bool, always_on: bool) {
    let at = Circumstances {
        now: Nanos(second * SECOND),
        looked_at,
        always_on,
    };
    meter.sample(at, || counts(second));
}

fn counts(second: u64) -> Counts {
    let runs = Runs {
        count: 100 * second,
        time: Nanos(1000 * second),
    };
    Counts::from([(1, (ProgramPurpose::Pins, runs))])
}

fn total(meter: &RunTimeMeter<Recorded>) -> (u64, u64) {
    let total = &meter.results.total;
    let runs = total.runs.get(&ProgramPurpose::Pins).copied().unwrap_or_default();
    (total.over.0 / SECOND, runs.count)
}

#[test]
fn the_statistics_are_on_for_one_second_in_thirty() {
    let mut meter = RunTimeMeter::new(Recorded::default());
    for second in 1..=60 {
        sample(&mut meter, second, true, false);
    }
    assert_eq!(meter.switch.states, [true, false, true, false]);
    assert_eq!(total(&meter), (2, 200));
    assert_eq!(meter.results.ended, Nanos(32 * SECOND));
    assert_eq!(meter.results.statistics, Statistics::Sampled);
}

#[test]
fn nothing_is_measured_while_nobody_looks() {
    let mut meter = RunTimeMeter::new(Recorded::default());
    for second in 1..=60 {
        sample(&mut meter, second, false, true);
        sample(&mut meter, second, false, false);
    }
    assert!(meter.switch.states.is_empty() && meter.results.latest.is_none());
    assert_eq!(meter.results.statistics, Statistics::Idle);
}

#[test]
fn a_measurement_ends_although_nobody_looks_any_more() {
    let mut meter = RunTimeMeter::new(Recorded::default());
    sample(&mut meter, 1, true, false);
    sample(&mut meter, 2, false, false);
    sample(&mut meter, 60, false, false);
    assert_eq!(meter.switch.states, [true, false]);
    assert_eq!(total(&meter), (1, 100));
}

#[test]
fn statistics_of_the_administrator_are_used_without_the_switch() {
    let mut meter = RunTimeMeter::new(Recorded::default());
    for second in 1..=10 {
        sample(&mut meter, second, true, true);
    }
    assert_eq!(total(&meter), (9, 900));
    assert_eq!(meter.results.statistics, Statistics::Continuous);
    assert!(meter.switch.states.is_empty());
    // The administrator disables them: one more measurement, and then samples.
    sample(&mut meter, 11, true, false);
    sample(&mut meter, 12, true, false);
    assert_eq!(meter.switch.states, [true, false]);
    assert_eq!(total(&meter), (11, 1100));
}

#[test]
fn a_refusal_is_kept_and_tried_again_later() {
    let mut meter = RunTimeMeter::new(Recorded {
        refuses: true,
        ..Recorded::default()
    });
    sample(&mut meter, 1, true, false);
    assert_eq!(meter.results.statistics, Statistics::Refused("no.".to_owned()));
    meter.switch.refuses = false;
    sample(&mut meter, 30, true, false);
    assert!(meter.switch.states.is_empty());
    sample(&mut meter, 31, true, false);
    assert_eq!(meter.switch.states, [true]);
}

#[test]
fn a_measurement_over_a_stop_of_the_process_does_not_count() {
    let mut meter = RunTimeMeter::new(Recorded::default());
    sample(&mut meter, 1, true, false);
    sample(&mut meter, 1000, true, false);
    assert_eq!(total(&meter), (0, 0));
    assert_eq!(meter.switch.states, [true, false, true]);
}

#[test]
fn the_end_ends_a_measurement_early() {
    let mut meter = RunTimeMeter::new(Recorded::default());
    sample(&mut meter, 1, true, false);
    meter.end(Nanos(SECOND + SECOND / 2), || counts(2));
    assert_eq!(meter.switch.states, [true, false]);
    assert_eq!(meter.results.latest.as_ref().unwrap().over, Nanos(SECOND / 2));
    meter.end(Nanos(3 * SECOND), || counts(3));
    assert_eq!(meter.results.total.over, Nanos(SECOND / 2));
}
