//! A direct read that ends in an interrupt, while threads of another process run that reads into the same huge page
//! (`pinload delayed-reads`). The ledger cannot know whose read has ended, and accuses nobody.

use serde_json::Value;

use crate::harness::{Checks, Pinload, Report, Started, number, skipped};
use crate::recording::Recording;

#[test]
fn a_read_that_ended_in_an_interrupt_is_not_called_a_pin_held_too_long() {
    let recording = Recording::start("delayed-reads");
    let before = recording.settled();
    let (mut pinload, mut line) = match Pinload::at_first("delayed-reads", "reading") {
        Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
        Started::Unavailable(why) => {
            return skipped(
                "a_read_that_ended_in_an_interrupt_is_not_called_a_pin_held_too_long",
                &why,
            );
        }
    };
    let (first, second) = (number(&line["first_pid"]), number(&line["second_pid"]));
    let mut checks = Checks::default();
    loop {
        let reads = number(&line["reads"]);
        checks.about(format!("{reads} reads are left"));
        let held = before.balance("vmstat_held") + i64::try_from(reads).unwrap();
        let report = recording.once("the reads", |report| {
            report.balance("vmstat_held") == held && report.balance("ledger_held") == held
        });
        check(&mut checks, &report, &before, reads, [first, second]);
        if reads == 0 {
            break;
        }
        line = pinload.line().unwrap();
        assert_eq!(line["event"], "ended", "{line}");
    }
    checks.holds(pinload.end().success(), "pinload's end");
    checks.about("the whole recording");
    let report = recording.finish();
    report.check(&mut checks);
    checks.same(
        "findings on the first process",
        findings(&report, first),
        Vec::new(),
    );
    checks.conclude();
}

fn check(checks: &mut Checks, report: &Report, before: &Report, reads: u64, pids: [u64; 2]) {
    report.check(checks);
    let figures = |key: &str| pids.map(|pid| report.figure(pid, key));
    checks.same("pages acquired", figures("acquired"), [1, 1]);
    checks.same("pages held", figures("pages_held").iter().sum(), reads);
    checks.same("pages released", figures("released").iter().sum(), 2 - reads);
    if reads == 0 {
        checks.same("pages held by each process", figures("pages_held"), [0, 0]);
    }
    let ambiguous = report.balance("ambiguous_owner") - before.balance("ambiguous_owner");
    checks.same("ambiguous releases", ambiguous, i64::from(reads < 2));
    for pid in pids {
        checks.same("findings", findings(report, pid), Vec::new());
    }
}

fn findings(report: &Report, pid: u64) -> Vec<Value> {
    let findings = report.document["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["pid"] == pid)
        .cloned()
        .collect()
}
