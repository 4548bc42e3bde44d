//! Direct I/O at full depth from several processes at once, for some time: releases come from interrupts on top
//! of everything. So many reads at each run, a minute with `-- --ignored soak`.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Findings, Report, kernel_at_least, number};
use crate::recording::Recording;

const JOBS: u64 = 4;
const DEPTH: u64 = 32;

/// Reads by each job where their number is given.
const READS: u64 = 8000;

/// Each read is a call that pins and one that releases, in an interrupt: what is seen and what is counted as skipped are
/// all of them, exactly.
#[test]
fn each_call_of_direct_io_is_seen_or_counted_as_skipped() {
    let recording = Recording::of_ledger("soak");
    let before = recording.settled();
    let reads = fio(&format!("--number_ios={READS}"));
    assert_eq!(reads, JOBS * READS);
    let report = recording.once("everything to be released", |report| {
        report.balance("vmstat_held") == before.balance("vmstat_held")
    });
    let since = |key: &str| u64::try_from(report.balance(key) - before.balance(key)).unwrap();
    let skipped = number(&report.document["loss"]["recursion_missed"]);
    let seen = since("ledger_acquired") + since("ledger_released") + since("preexisting_released");
    println!("{reads} reads, {seen} calls seen, {skipped} skipped by the kernel");
    let mut findings = Findings::default();
    let calls = if kernel_at_least(6, 5) { 2 * reads } else { 0 };
    findings.same("calls seen or counted", seen + skipped, calls);
    findings.same(
        "pages pinned, by the vmstat counters",
        since("vmstat_acquired") * 2,
        calls,
    );
    findings.same(
        "pages released, by the vmstat counters",
        since("vmstat_released") * 2,
        calls,
    );
    explained(&report, skipped, &mut findings);
    recording.finish();
    findings.conclude();
}

#[test]
#[ignore = "takes more than a minute"]
fn a_minute_of_direct_io_adds_up() {
    soak(60);
}

/// Every read of fio's is one pinned page, where direct I/O pins at all.
fn soak(seconds: u32) {
    let recording = Recording::of_ledger("soak");
    let before = recording.settled().balance("vmstat_held");
    let reads = fio(&format!("--time_based --runtime={seconds}"));
    let report = recording.once("everything to be released", |report| {
        report.balance("vmstat_held") == before
    });
    let mut findings = Findings::default();
    let skipped = number(&report.document["loss"]["recursion_missed"]);
    let pinned = if kernel_at_least(6, 5) { reads } else { 0 };
    let acquired = u64::try_from(report.balance("ledger_acquired")).unwrap();
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
        if !["recursion_missed", "stack_lost", "name_unread", "mm_event_missed"].contains(&reason.as_str()) {
            findings.same(reason, number(count), 0);
        }
    }
    let unaccounted = report.balance("unaccounted").unsigned_abs();
    findings.holds(unaccounted <= skipped, "what is unaccounted is explained");
}

/// Runs fio for so long, or for so many reads; how many it counts.
fn fio(extent: &str) -> u64 {
    let words = "--name=soak --filename=/mnt/soak.dat --size=32M --rw=randread --direct=1 --bs=4k --ioengine=io_uring \
                 --group_reporting --output-format=json";
    let output = Command::new("timeout")
        .args(["200", "fio"])
        .args(words.split_whitespace())
        .args(extent.split_whitespace())
        .args([format!("--numjobs={JOBS}"), format!("--iodepth={DEPTH}")])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "fio: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    // fio may write notes before its JSON.
    let json: Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
    number(&json["jobs"][0]["read"]["total_ios"])
}
