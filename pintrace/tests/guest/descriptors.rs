//! The descriptors on which processes pin, against the numbers that the workloads know.

use serde_json::Value;

use pintrace_events::units::Pid;
use pintrace_model::views::holders::{self, HolderRow};

use crate::harness::{Checks, Pinload, Report, Started, left_out, number, skipped};
use crate::recording::{Recording, Shared};

/// Starts a workload, and waits until the report has an extent of its process. Returns `None` if the kernel does not offer
/// the workload, or does not count its pins.
fn held(recording: &Shared, words: &str) -> Option<(Pinload, Value, Report)> {
    let (pinload, ready) = match Pinload::start(words, 1) {
        Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
        Started::Unavailable(why) => {
            left_out(words, &why);
            return None;
        }
    };
    if number(&ready["expected_pins"]["acquired"]) == 0 {
        left_out(words, &"this kernel counts no pins");
        return None;
    }
    let pid = number(&ready["pid"]);
    let report = recording.once(words, |report| !extents(report, pid).is_empty());
    Some((pinload, ready, report))
}

fn extents(report: &Report, pid: u64) -> &[Value] {
    let extents = report.process(pid)["extents_held"].as_array();
    extents.map(Vec::as_slice).unwrap_or_default()
}

/// Returns the descriptors of the extents of a process.
fn descriptors(report: &Report, pid: u64) -> Vec<Value> {
    let extents = extents(report, pid).iter();
    extents.map(|extent| extent["descriptor"].clone()).collect()
}

/// Returns the holders through which a process holds pins.
fn holders(recording: &Recording, pid: u64) -> Vec<HolderRow> {
    let mut rows = holders::of(&recording.snapshot());
    rows.retain(|row| {
        row.processes
            .iter()
            .any(|one| u64::from(one.process.pid.0) == pid)
    });
    rows
}

#[test]
fn extents_and_holders_name_the_descriptor_of_the_workload() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    for (words, buffers) in [
        ("io-uring", 1),
        ("io-uring --buffers 2", 2),
        ("af-xdp", 1),
        ("udmabuf", 1),
    ] {
        let Some((pinload, ready, report)) = held(&recording, words) else {
            continue;
        };
        checks.about(words);
        let pid = number(&ready["pid"]);
        let own = number(&ready["descriptor"]);
        checks.same(
            "descriptors of the extents",
            descriptors(&report, pid),
            vec![own.into(); buffers],
        );
        let rows = holders(&recording, pid);
        checks.same("holders", rows.len(), 1);
        for row in &rows {
            checks.holds(row.file().is_some(), "the open file is known");
            let known: Vec<_> = row.descriptors().map(u64::from).collect();
            checks.same("descriptors of the holder", known, vec![own]);
            checks.same("extents of the holder", row.sums.extents, buffers as u64);
        }
        checks.holds(pinload.end().success(), "pinload's end");
        recording.once("the release", |report| report.figure(pid, "pages_held") == 0);
        checks.same("holders afterwards", holders(&recording, pid).len(), 0);
    }
    recording.finish().check(&mut checks);
    checks.conclude();
}

#[test]
fn the_ring_that_a_slot_names_is_known_and_its_descriptor_is_not() {
    const NAME: &str = "the_ring_that_a_slot_names_is_known_and_its_descriptor_is_not";
    let recording = Recording::shared();
    let mut checks = Checks::default();
    let Some((pinload, ready, report)) = held(&recording, "io-uring --buffers 2 --registered-ring") else {
        return skipped(NAME, &"the kernel has no registered rings for io_uring_register");
    };
    let pid = number(&ready["pid"]);
    checks.same("descriptors", descriptors(&report, pid), vec![Value::Null; 2]);
    let rows = holders(&recording, pid);
    checks.same("holders", rows.len(), 1);
    for row in &rows {
        checks.holds(row.file().is_some(), "the open file is known");
        checks.same("descriptors of the holder", row.descriptors().count(), 0);
    }
    checks.holds(pinload.end().success(), "pinload's end");
    recording.finish().check(&mut checks);
    checks.conclude();
}

/// The child that pins and its parent have the ring open under the same number; only the child pinned.
#[test]
fn a_holder_names_the_descriptor_of_the_process_that_pinned() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    let Some((pinload, ready, _)) = held(&recording, "io-uring --shared-ring") else {
        panic!("every tested kernel has rings");
    };
    let rows = holders(&recording, number(&ready["pid"]));
    checks.same("holders", rows.len(), 1);
    for row in &rows {
        let known: Vec<_> = row
            .processes
            .iter()
            .map(|one| (one.process.pid, one.descriptor))
            .collect();
        let pid = u32::try_from(number(&ready["pid"])).unwrap();
        let own = u32::try_from(number(&ready["descriptor"])).unwrap();
        checks.same("processes and descriptors", known, vec![(Pid(pid), Some(own))]);
    }
    checks.holds(pinload.end().success(), "pinload's end");
    recording.finish().check(&mut checks);
    checks.conclude();
}
