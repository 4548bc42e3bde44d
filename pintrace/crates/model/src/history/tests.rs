//! Tests of the history and of the ring of snapshots.

use std::sync::Arc;

use super::*;

/// A snapshot at a time, with the pages of processes by pid.
fn at(time: u64, pages: &[(u32, u64)]) -> Snapshot {
    let process = |&(pid, pages_held): &(u32, u64)| {
        Arc::new(Process {
            pid: Pid(pid),
            pages_held,
            bytes_held: pages_held * 4096,
            ..Process::default()
        })
    };
    Snapshot {
        time: Nanos(time),
        processes: pages.iter().map(process).collect(),
        ..Snapshot::default()
    }
}

fn pages(history: &History, pid: u32) -> Vec<(u64, u64)> {
    let samples = history.of(Pid(pid));
    samples.map(|sample| (sample.time.0, sample.pages_held)).collect()
}

#[test]
fn the_latest_samples_stay() {
    let mut history = History::new(3, 8);
    for time in 1..=5 {
        history.record(&at(time, &[(7, time * 10)]));
    }
    assert_eq!(pages(&history, 7), [(3, 30), (4, 40), (5, 50)]);
    assert_eq!(history.of(Pid(7)).next_back().unwrap().bytes_held, 50 * 4096);
    assert!(pages(&history, 8).is_empty());
}

#[test]
fn a_process_that_appears_later_has_the_later_times() {
    let mut history = History::new(3, 8);
    for time in 1..=4 {
        let both = [(7, 1), (8, time)];
        history.record(&at(time, if time < 3 { &both[..1] } else { &both }));
    }
    assert_eq!(pages(&history, 8), [(3, 3), (4, 4)]);
}

#[test]
fn a_sampled_process_is_sampled_without_pages_while_there_is_room() {
    let mut history = History::new(8, 2);
    history.record(&at(1, &[(7, 5), (8, 0)]));
    history.record(&at(2, &[(7, 0), (8, 1)]));
    assert_eq!(pages(&history, 7), [(1, 5), (2, 0)]);
    history.record(&at(3, &[(7, 0), (8, 1), (9, 1)]));
    assert!(pages(&history, 7).is_empty());
    assert_eq!((pages(&history, 8).len(), pages(&history, 9).len()), (2, 1));
}

#[test]
fn the_largest_processes_are_sampled_and_sampled_ones_win_a_tie() {
    let mut history = History::new(8, 2);
    history.record(&at(1, &[(5, 4), (7, 9), (8, 1), (9, 4)]));
    let sampled = |history: &History| [5, 7, 8, 9].map(|pid| pages(history, pid).len());
    assert_eq!(sampled(&history), [1, 1, 0, 0]);
    history.record(&at(2, &[(4, 4), (5, 4), (7, 9)]));
    assert_eq!(sampled(&history), [2, 2, 0, 0]);
}

#[test]
fn a_snapshot_that_is_not_later_is_ignored() {
    let mut history = History::default();
    for time in [5, 5, 4] {
        history.record(&at(time, &[(7, time)]));
    }
    assert_eq!(pages(&history, 7), [(5, 5)]);
    let mut nothing = History::new(0, 0);
    nothing.record(&at(1, &[(7, 1)]));
    assert!(pages(&nothing, 7).is_empty());
}

#[test]
fn processes_with_one_pid_have_histories_of_their_own() {
    let mut history = History::default();
    let mut snapshot = at(1, &[(7, 5), (7, 6)]);
    let mut processes: Vec<_> = snapshot.processes.iter().cloned().collect();
    Arc::make_mut(&mut processes[1]).earlier_processes = 1;
    snapshot.processes = processes.clone().into();
    history.record(&snapshot);
    let first: Vec<_> = history.of_process(&processes[0]).collect();
    assert_eq!(first[0].pages_held, 5);
    assert_eq!(pages(&history, 7), [(1, 6)]);
}

#[test]
fn the_default_history_takes_sixteen_mebibytes_and_the_times() {
    let history = History::default();
    assert_eq!(history.memory(), (16 << 20) + (8 << 10));
}

#[test]
fn the_ring_finds_snapshots_by_age_and_by_steps() {
    let mut ring = SnapshotRing::new(3);
    assert!(ring.is_empty() && ring.at_age(Nanos(0)).is_none() && ring.back(0).is_none());
    for time in [10, 20, 30, 40, 40, 35] {
        ring.push(Arc::new(at(time, &[])));
    }
    let time = |snapshot: Option<&Arc<Snapshot>>| snapshot.map(|snapshot| snapshot.time.0);
    assert_eq!((ring.len(), time(ring.latest())), (3, Some(40)));
    let ages = [0, 1, 10, 15, 20, 99].map(|age| time(ring.at_age(Nanos(age))).unwrap());
    assert_eq!(ages, [40, 30, 30, 20, 20, 20]);
    assert_eq!(
        [0, 1, 2, 3].map(|steps| time(ring.back(steps))),
        [Some(40), Some(30), Some(20), None]
    );
    let mut none = SnapshotRing::new(0);
    none.push(Arc::new(at(1, &[])));
    assert!(none.is_empty());
}
