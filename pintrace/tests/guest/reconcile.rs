//! Reconciliation: after a loss, the ledger is corrected from a scan of memory.

use std::fmt::Write as _;
use std::time::Instant;

use serde_json::json;

use crate::harness::{Checks, Pinload, Report, number};
use crate::recording::{NO_FINDINGS, Recording};

/// The longest time for which the ledger may be wrong, in ns.
const MOST_WRONG: u64 = 2_000_000_000;

/// Map sizes that cause losses.
const TINY: &[&str] = &[
    "RING=4096",
    "CHUNKS=1",
    "MULTI_OWNER_FOLIOS=1",
    "EXTENTS=2",
    "LONGTERM_CALLS=1",
    "STACKS=2",
];

/// Scans are slow under emulation, so they may use half a CPU.
const BUDGET: &str = "50";

fn tiny() -> Vec<&'static str> {
    let maps = TINY.iter().flat_map(|map| ["--map-entries", *map]);
    maps.chain(["--scan-budget", BUDGET, NO_FINDINGS]).collect()
}

fn duration(report: &Report) -> u64 {
    number(&report.document["duration_ns"])
}

/// Returns true if nothing is unaccounted and each holder is shown with its pages.
fn shows(report: &Report, holders: &[(u64, u64)]) -> bool {
    report.balance("unaccounted") == 0
        && holders
            .iter()
            .all(|(pid, pages)| report.figure(*pid, "pages_held") == *pages)
}

#[test]
fn a_ledger_with_full_tables_is_reconciled_within_two_seconds() {
    let recording = Recording::start_with("reconcile", &tiny());
    let mut checks = Checks::default();
    let mut log = String::new();
    let mut holders = Vec::new();
    let mut expected = Vec::new();
    // Waits until the report is right, and checks that it was right in time and stays right.
    let mut right = |what: &str, expected: &[(u64, u64)], checks: &mut Checks, since: u64| {
        let report = recording.once(what, |report| shows(report, expected));
        let first = duration(&report).saturating_sub(since);
        writeln!(log, "{what}: right after {} ms at most", first / 1_000_000).unwrap();
        checks.about(what);
        checks.holds(shows(&report, expected), "right, and stays right");
        checks.holds(first <= MOST_WRONG, "right in time");
        report
    };
    for kind in ["io-uring", "af-xdp", "io-uring"] {
        let mut since = duration(&recording.settled());
        let starting = Instant::now();
        let (pinload, ready) = Pinload::hold(&format!("{kind} --pages 300"), 1);
        // The pages are pinned at the end of pinload's start, which takes its time in a guest.
        since += u64::try_from(starting.elapsed().as_nanos()).unwrap();
        expected.push((number(&ready[0]["pid"]), 300));
        holders.push(pinload);
        right(&format!("{} hold", holders.len()), &expected, &mut checks, since);
    }
    let report = recording.settled();
    checks.about("all hold");
    checks.same("vmstat_held", report.balance("vmstat_held"), 900);
    checks.holds(report.balance("reconciled") > 0, "pages reconciled");
    checks.holds(
        number(&report.document["loss"]["folio_table_full"]) > 0,
        "a full table",
    );
    for (index, pinload) in holders.into_iter().enumerate() {
        let since = duration(&recording.settled());
        pinload.end();
        expected[index].1 = 0;
        right(&format!("{} ended", index + 1), &expected, &mut checks, since);
    }
    println!("{log}");
    let report = recording.finish();
    checks.about("at the end");
    checks.same("vmstat_held", report.balance("vmstat_held"), 0);
    checks.same("ledger_held", report.balance("ledger_held"), 0);
    checks.same("preexisting_held", report.balance("preexisting_held"), 0);
    checks.same(
        "unapplied_events",
        &report.document["unapplied_events"],
        &json!(0),
    );
    checks.conclude();
}

/// A loss starts a reconciliation. A loss that the reconciliation itself counted would start it again and again.
#[test]
fn a_reconciliation_without_a_free_account_counts_no_loss_and_is_not_repeated() {
    const SEVERAL_PAUSES: u64 = 4_000_000_000;
    let maps = ["--map-entries", "CHUNKS=1", "--map-entries", "ACCOUNTS=2"];
    let recording = Recording::start_with(
        "reconcile-accounts",
        &[maps.as_slice(), &["--scan-budget", BUDGET, NO_FINDINGS]].concat(),
    );
    let mut checks = Checks::default();
    let (pinload, ready) = Pinload::hold("io-uring --pages 300", 1);
    let pid = number(&ready[0]["pid"]);
    let counts = |report: &Report| {
        let full = report.document["loss"]["account_table_full"].as_u64();
        (full.unwrap_or(0), report.balance("reconciled"))
    };
    checks.about("after the reconciliation");
    let right = recording.once("the reconciliation", |report| shows(report, &[(pid, 300)]));
    checks.holds(right.balance("reconciled") > 0, "pages reconciled");
    let since = duration(&right);
    checks.about("several pauses later");
    let later = recording.once("some time", |report| duration(report) > since + SEVERAL_PAUSES);
    checks.holds(shows(&later, &[(pid, 300)]), "right, and stays right");
    checks.same(
        "accounts that found no room, and pages reconciled",
        counts(&later),
        counts(&right),
    );
    pinload.end();
    recording.once("the release", |report| shows(report, &[(pid, 0)]));
    checks.conclude();
}
