//! After a loss the ledger is set right by what memory shows.

use std::fmt::Write as _;
use std::time::Instant;

use serde_json::json;

use crate::harness::{Findings, Pinload, Report, number};
use crate::recording::{NO_FINDINGS, Recording};

/// For how long the ledger may be wrong, ns.
const MOST_WRONG: u64 = 2_000_000_000;

/// Maps that hold next to nothing.
const TINY: &[&str] = &[
    "RING=4096",
    "CHUNKS=1",
    "MULTI_OWNER_FOLIOS=1",
    "EXTENTS=2",
    "LONGTERM_CALLS=1",
    "STACKS=2",
];

/// The emulator takes long for what takes a processor no time: half of one may be used for it.
const BUDGET: &str = "50";

fn tiny() -> Vec<&'static str> {
    let maps = TINY.iter().flat_map(|map| ["--map-entries", *map]);
    maps.chain(["--scan-budget", BUDGET, NO_FINDINGS]).collect()
}

fn duration(report: &Report) -> u64 {
    number(&report.document["duration_ns"])
}

/// Pages that each of these is shown with; what vmstat and ledger differ by is none of them.
fn shows(report: &Report, holders: &[(u64, u64)]) -> bool {
    report.balance("unaccounted") == 0
        && holders
            .iter()
            .all(|(pid, pages)| report.figure(*pid, "pages_held") == *pages)
}

#[test]
fn a_ledger_without_room_is_right_after_two_seconds() {
    let recording = Recording::start_with("heal", &tiny());
    let mut findings = Findings::default();
    let mut told = String::new();
    let mut holders = Vec::new();
    let mut expected = Vec::new();
    // Long enough to be right, and never longer wrong than it may be.
    let mut right = |what: &str, expected: &[(u64, u64)], findings: &mut Findings, since: u64| {
        let report = recording.once(what, |report| shows(report, expected));
        let first = duration(&report).saturating_sub(since);
        writeln!(told, "{what}: right after {} ms at most", first / 1_000_000).unwrap();
        findings.about(what);
        findings.holds(shows(&report, expected), "right, and still right");
        findings.holds(first <= MOST_WRONG, "right in time");
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
        right(
            &format!("{} hold", holders.len()),
            &expected,
            &mut findings,
            since,
        );
    }
    let report = recording.settled();
    findings.about("all hold");
    findings.same("vmstat_held", report.balance("vmstat_held"), 900);
    findings.holds(report.balance("reconciled") > 0, "pages reconciled");
    findings.holds(
        number(&report.document["loss"]["folio_table_full"]) > 0,
        "a full table",
    );
    for (turn, pinload) in holders.into_iter().enumerate() {
        let since = duration(&recording.settled());
        pinload.end();
        expected[turn].1 = 0;
        right(&format!("{} ended", turn + 1), &expected, &mut findings, since);
    }
    println!("{told}");
    let report = recording.finish();
    findings.about("at the end");
    findings.same("vmstat_held", report.balance("vmstat_held"), 0);
    findings.same("ledger_held", report.balance("ledger_held"), 0);
    findings.same("preexisting_held", report.balance("preexisting_held"), 0);
    findings.same(
        "unapplied_events",
        &report.document["unapplied_events"],
        &json!(0),
    );
    findings.conclude();
}

/// A loss is a reason to heal: one that the healing counts itself would have it begin again and again.
#[test]
fn a_healing_that_finds_no_account_is_no_loss_and_no_reason_for_another() {
    const SEVERAL_PAUSES: u64 = 4_000_000_000;
    let maps = ["--map-entries", "CHUNKS=1", "--map-entries", "ACCOUNTS=2"];
    let recording = Recording::start_with(
        "heal-accounts",
        &[maps.as_slice(), &["--scan-budget", BUDGET, NO_FINDINGS]].concat(),
    );
    let mut findings = Findings::default();
    let (pinload, ready) = Pinload::hold("io-uring --pages 300", 1);
    let pid = number(&ready[0]["pid"]);
    let told = |report: &Report| {
        let full = report.document["loss"]["account_table_full"].as_u64();
        (full.unwrap_or(0), report.balance("reconciled"))
    };
    findings.about("once it is right");
    let right = recording.once("what it holds", |report| shows(report, &[(pid, 300)]));
    findings.holds(right.balance("reconciled") > 0, "pages reconciled");
    let since = duration(&right);
    findings.about("some time later");
    let later = recording.once("some time", |report| duration(report) > since + SEVERAL_PAUSES);
    findings.holds(shows(&later, &[(pid, 300)]), "right, and still right");
    findings.same(
        "accounts that found no room, and pages reconciled",
        told(&later),
        told(&right),
    );
    pinload.end();
    recording.once("the release", |report| shows(report, &[(pid, 0)]));
    findings.conclude();
}
