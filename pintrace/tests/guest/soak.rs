//! Direct I/O at full depth from several processes at once, for some time: releases come from interrupts on top
//! of everything. A few seconds at each run, a minute with `-- --ignored soak`.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Findings, Report, kernel_at_least, number};
use crate::recording::Recording;

const JOBS: u64 = 4;
const DEPTH: u64 = 32;

#[test]
fn seconds_of_direct_io_add_up() {
    soak(5);
}

#[test]
#[ignore = "takes more than a minute"]
fn a_minute_of_direct_io_adds_up() {
    soak(60);
}

/// Every read of fio's is one pinned page, where direct I/O pins at all.
fn soak(seconds: u32) {
    let recording = Recording::start("soak");
    let before = recording.settled().truth("books_held");
    let reads = fio(seconds);
    let report = recording.once("everything to be released", |report| {
        report.truth("books_held") == before
    });
    let mut findings = Findings::default();
    let skipped = number(&report.document["loss"]["recursion_missed"]);
    let pinned = if kernel_at_least(6, 5) { reads } else { 0 };
    let acquired = u64::try_from(report.truth("ledger_acquired")).unwrap();
    println!("{reads} reads, {acquired} pages pinned, {skipped} calls skipped by the kernel");
    // What is under way when the time is up is read, and not counted by fio.
    let range = pinned.saturating_sub(skipped)..=pinned + if pinned == 0 { 0 } else { JOBS * DEPTH };
    findings.holds(range.contains(&acquired), "a page pinned for each read");
    if skipped == 0 {
        report.check(&mut findings);
    } else {
        explained(&report, skipped, &mut findings);
    }
    recording.finish();
    findings.conclude();
}

/// Only calls that the kernel skipped are missing, each of one page.
fn explained(report: &Report, skipped: u64, findings: &mut Findings) {
    for (reason, count) in report.document["loss"].as_object().unwrap() {
        if !["recursion_missed", "stack_lost", "name_unread", "watch_missed"].contains(&reason.as_str()) {
            findings.same(reason, number(count), 0);
        }
    }
    let unaccounted = report.truth("unaccounted").unsigned_abs();
    findings.holds(unaccounted <= skipped, "what is unaccounted is explained");
}

/// Runs fio; how many reads it counts.
fn fio(seconds: u32) -> u64 {
    let words = "--name=soak --filename=/mnt/soak.dat --size=32M --rw=randread --direct=1 --bs=4k --ioengine=io_uring \
                 --time_based --group_reporting --output-format=json";
    let output = Command::new("timeout")
        .args(["200", "fio"])
        .args(words.split_whitespace())
        .args([
            format!("--runtime={seconds}"),
            format!("--numjobs={JOBS}"),
            format!("--iodepth={DEPTH}"),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "fio: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    // fio may write notes before its JSON.
    let json: Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
    number(&json["jobs"][0]["read"]["total_ios"])
}
