//! Every kind of pin on every kind of memory: the figures are those of pinload, and of the kernel's vmstat counters.

use serde_json::Value;

use crate::harness::{Began, Findings, HUGE, PAGE, Pinload, Report, expected, number, skipped};
use crate::hugetlb::Folding;
use crate::recording::Recording;

const KINDS: [(&str, &str); 8] = [
    ("io-uring", "io_uring"),
    ("af-xdp", "af_xdp"),
    ("process-vm", "process_vm"),
    ("direct-read", "direct_io"),
    ("direct-write", "direct_io"),
    ("udmabuf", "udmabuf"),
    ("vmsplice", "none"),
    ("zerocopy", "none"),
];

#[test]
fn every_kind_on_small_pages_is_counted_exactly() {
    every_kind("small", 64);
}

#[test]
fn every_kind_on_transparent_huge_pages_is_counted_exactly() {
    every_kind("thp", 64);
}

#[test]
fn every_kind_on_hugetlb_pages_is_counted_exactly() {
    let _whole = Folding::set(false).unwrap();
    every_kind("hugetlb", 64);
}

/// Each page of folded struct pages begins with what looks like a head.
#[test]
fn every_kind_on_hugetlb_pages_with_folded_struct_pages_is_counted_exactly() {
    const NAME: &str = "every_kind_on_hugetlb_pages_with_folded_struct_pages_is_counted_exactly";
    match Folding::set(true) {
        // All 512 struct pages: what is folded comes by.
        Ok(_folding) => every_kind("hugetlb", 512),
        Err(why) => skipped(NAME, &why),
    }
}

fn every_kind(backing: &str, pages: u64) {
    let recording = Recording::shared();
    let mut findings = Findings::default();
    for (kind, subsystem) in KINDS {
        let words = format!("{kind} --backing {backing} --pages {pages} --reserve");
        let (pinload, ready) = match Pinload::begin(&words, 1) {
            Began::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Began::Unavailable(why) => {
                println!("left out: {words}: {why}");
                continue;
            }
        };
        findings.about(format!("{words}, held"));
        let report = recording.settled();
        report.check(&mut findings);
        check_held(&report, &ready, subsystem, &mut findings);
        let pid = number(&ready["pid"]);
        findings.holds(pinload.end().success(), "pinload's end");
        findings.about(format!("{words}, released"));
        let report = recording.once(&words, |report| report.figure(pid, "pages_held") == 0);
        report.check(&mut findings);
        check_released(&report, &ready, &mut findings);
    }
    let report = recording.finish();
    findings.about("at the end");
    report.check(&mut findings);
    findings.same("balance.ledger_held", report.balance("ledger_held"), 0);
    findings.conclude();
}

/// What the holder of a `ready` line is to be shown with while it holds.
fn check_held(report: &Report, ready: &Value, subsystem: &str, findings: &mut Findings) {
    let pid = number(&ready["pid"]);
    for (key, figure) in [
        ("held", "pages_held"),
        ("acquired", "acquired"),
        ("released", "released"),
    ] {
        if let Some(pins) = expected(ready, key) {
            findings.same(figure, report.figure(pid, figure), pins);
        }
    }
    let process = report.process(pid);
    if process.is_null() {
        return;
    }
    let held = report.figure(pid, "pages_held");
    // What lasts beyond a call is long-term, on every kernel here.
    findings.same(
        "longterm_pages_held",
        report.figure(pid, "longterm_pages_held"),
        held,
    );
    findings.same(
        "bytes_held",
        report.figure(pid, "bytes_held"),
        bytes_kept(ready, held),
    );
    findings.same("comm", process["comm"].as_str(), Some("pinload"));
    findings.same("ended", process["ended"].is_null(), true);
    let subsystems = process["subsystems"].as_object().unwrap();
    let names: Vec<_> = subsystems.keys().map(String::as_str).collect();
    findings.same("subsystems", names, vec![subsystem]);
    findings.same(
        "pages of the subsystem",
        process["subsystems"][subsystem].as_u64(),
        Some(held),
    );
    check_extents(process, ready, held, findings);
}

/// The pages lie where pinload put them.
fn check_extents(process: &Value, ready: &Value, held: u64, findings: &mut Findings) {
    let extents = process["extents_held"].as_array().unwrap();
    let sum: u64 = extents.iter().map(|extent| number(&extent["pages_held"])).sum();
    findings.same("pages in extents", sum, held);
    if held == 0 {
        return;
    }
    let lowest = extents.iter().map(|extent| hexadecimal(&extent["address"])).min();
    // The address of a pin on a file is the place in the file.
    let address = if ready["kind"] == "udmabuf" {
        0
    } else {
        hexadecimal(&ready["address"])
    };
    findings.same("address", lowest, Some(address));
}

/// What small or huge pages the pins keep in place.
fn bytes_kept(ready: &Value, held: u64) -> u64 {
    match ready["backing"].as_str() {
        _ if held == 0 => 0,
        Some("small") => held * PAGE,
        _ => (number(&ready["pages"]) * PAGE).next_multiple_of(HUGE),
    }
}

/// What it is to be shown with once it has ended.
fn check_released(report: &Report, ready: &Value, findings: &mut Findings) {
    let pid = number(&ready["pid"]);
    if let Some(pins) = expected(ready, "acquired") {
        findings.same("acquired", report.figure(pid, "acquired"), pins);
        findings.same("released", report.figure(pid, "released"), pins);
    }
    for key in ["pages_held", "bytes_held", "longterm_pages_held", "extents"] {
        findings.same(key, report.figure(pid, key), 0);
    }
}

fn hexadecimal(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

#[test]
fn a_large_registration_in_one_call_is_exact() {
    let recording = Recording::shared();
    let (pinload, ready) = Pinload::hold("io-uring --pages 65536", 1);
    let mut findings = Findings::default();
    findings.about("held");
    let report = recording.settled();
    report.check(&mut findings);
    check_held(&report, &ready[0], "io_uring", &mut findings);
    findings.same(
        "pages_held",
        report.figure(number(&ready[0]["pid"]), "pages_held"),
        65536,
    );
    pinload.end();
    findings.about("released");
    let report = recording.finish();
    report.check(&mut findings);
    check_released(&report, &ready[0], &mut findings);
    findings.conclude();
}

#[test]
fn pages_that_the_pin_itself_faults_in_and_zero_pages_are_counted_as_vmstat_counts_them() {
    let recording = Recording::shared();
    let mut findings = Findings::default();
    for words in [
        "direct-write --zero-page",
        "direct-write --zero-page --backing thp",
        "direct-write --untouched",
        "direct-write --untouched --backing thp",
        "direct-read --untouched",
        "process-vm --zero-page --repeat 3",
        "process-vm --zero-page --backing thp",
        "process-vm --untouched",
        "process-vm --untouched --backing thp",
        "io-uring --zero-page",
        "io-uring --untouched",
        "io-uring --untouched --backing thp",
    ] {
        let before = recording.settled();
        let (pinload, ready) = match Pinload::begin(&format!("{words} --reserve"), 1) {
            Began::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Began::Unavailable(why) => {
                println!("left out: {words}: {why}");
                continue;
            }
        };
        findings.about(words);
        let report = recording.settled();
        report.check(&mut findings);
        let pid = number(&ready["pid"]);
        for (key, figure) in [
            ("held", "pages_held"),
            ("acquired", "acquired"),
            ("released", "released"),
        ] {
            if let Some(pins) = expected(&ready, key) {
                findings.same(figure, report.figure(pid, figure), pins);
            }
        }
        // Where pinload does not know, the vmstat counters do.
        let vmstat = |key| report.balance(key) - before.balance(key);
        let pinned = vmstat("vmstat_acquired") - vmstat("gup_retry");
        findings.same(
            "acquired",
            i64::try_from(report.figure(pid, "acquired")).unwrap(),
            pinned,
        );
        findings.holds(pinload.end().success(), "pinload's end");
        recording
            .once(words, |report| report.figure(pid, "pages_held") == 0)
            .check(&mut findings);
    }
    recording.finish().check(&mut findings);
    findings.conclude();
}
