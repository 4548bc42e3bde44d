//! Direct I/O at full depth from several processes, with releases in interrupts. Each run makes a fixed number of
//! reads; `-- --ignored soak` reads for a minute.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Checks, Report, kernel_at_least, number};
use crate::recording::Recording;

const JOBS: u64 = 4;
const DEPTH: u64 = 32;

/// Reads of each job in the test with a fixed number of reads.
const READS: u64 = 8000;

/// Each read makes one pin call, and one release call in an interrupt. Each call is seen, or counted as skipped.
#[test]
fn every_call_of_direct_io_is_seen_or_counted_as_skipped() {
    let recording = Recording::of_ledger("soak");
    let before = recording.settled();
    let reads = fio(&format!("--number_ios={READS}"));
    assert_eq!(reads, JOBS * READS);
    let report = recording.once("everything to be released", |report| {
        report.balance("vmstat_held") == before.balance("vmstat_held")
    });
    let since = |key: &str| u64::try_from(report.balance(key) - before.balance(key)).unwrap();
    let skipped = number(&report.document["loss"]["recursion_missed"]);
    let seen = since("ledger_acquired") + since("ledger_released");
    let without_owner = since("preexisting_released") + since("lost_pin_released");
    let seen = seen + without_owner;
    println!("{reads} reads, {seen} calls seen, {skipped} calls skipped by the kernel");
    let mut checks = Checks::default();
    let calls = if kernel_at_least(6, 5) { 2 * reads } else { 0 };
    // The count of skipped calls also has calls of other programs, such as those of the shell that starts fio.
    checks.holds(
        seen <= calls && calls <= seen + skipped,
        &format!("{calls} calls: {seen} seen, {skipped} skipped"),
    );
    checks.same(
        "pages pinned, by the vmstat counters",
        since("vmstat_acquired") * 2,
        calls,
    );
    checks.same(
        "pages released, by the vmstat counters",
        since("vmstat_released") * 2,
        calls,
    );
    explained(&report, skipped, &mut checks);
    recording.finish();
    checks.conclude();
}

#[test]
#[ignore = "takes more than a minute"]
fn a_minute_of_direct_io_adds_up() {
    soak(60);
}

/// Reads for `seconds`. Each read of fio pins one page, on kernels whose direct I/O pins.
fn soak(seconds: u32) {
    let recording = Recording::of_ledger("soak");
    let before = recording.settled().balance("vmstat_held");
    let reads = fio(&format!("--time_based --runtime={seconds}"));
    let report = recording.once("everything to be released", |report| {
        report.balance("vmstat_held") == before
    });
    let mut checks = Checks::default();
    let skipped = number(&report.document["loss"]["recursion_missed"]);
    let pinned = if kernel_at_least(6, 5) { reads } else { 0 };
    let acquired = u64::try_from(report.balance("ledger_acquired")).unwrap();
    println!("{reads} reads, {acquired} pages pinned, {skipped} calls skipped by the kernel");
    // Reads in progress at the end are pinned, and fio does not count them.
    let range = pinned.saturating_sub(skipped)..=pinned + if pinned == 0 { 0 } else { JOBS * DEPTH };
    checks.holds(range.contains(&acquired), "a page pinned for each read");
    if skipped == 0 {
        report.check(&mut checks);
    } else {
        explained(&report, skipped, &mut checks);
    }
    recording.finish();
    checks.conclude();
}

/// Checks that only skipped calls, of one page each, are missing.
fn explained(report: &Report, skipped: u64, checks: &mut Checks) {
    for (reason, count) in report.document["loss"].as_object().unwrap() {
        if !["recursion_missed", "stack_lost", "name_unread", "mm_event_missed"].contains(&reason.as_str()) {
            checks.same(reason, number(count), 0);
        }
    }
    let unaccounted = report.balance("unaccounted").unsigned_abs();
    checks.holds(
        unaccounted <= skipped,
        "skipped calls explain the unaccounted pages",
    );
}

/// Runs fio for a time or a number of reads, as `extent` says. Returns the number of reads that fio counts.
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
