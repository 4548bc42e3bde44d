//! Every kind of pin on every kind of memory: the figures must agree with pinload and with vmstat.

use serde_json::Value;

use crate::harness::{
    Checks, HUGE, PAGE, Pinload, Report, Started, expected, hexadecimal, left_out, number, skipped,
};
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
    every_kind("every_kind_on_small_pages_is_counted_exactly", "small", 64);
}

#[test]
fn every_kind_on_transparent_huge_pages_is_counted_exactly() {
    every_kind(
        "every_kind_on_transparent_huge_pages_is_counted_exactly",
        "thp",
        64,
    );
}

#[test]
fn every_kind_on_hugetlb_pages_is_counted_exactly() {
    let _whole = Folding::set(false).unwrap();
    every_kind("every_kind_on_hugetlb_pages_is_counted_exactly", "hugetlb", 64);
}

/// In a folded vmemmap, each page of struct pages begins with an entry that looks like a head page.
#[test]
fn every_kind_on_hugetlb_pages_with_folded_struct_pages_is_counted_exactly() {
    const NAME: &str = "every_kind_on_hugetlb_pages_with_folded_struct_pages_is_counted_exactly";
    match Folding::set(true) {
        // All 512 struct pages, so that the folded part is read too.
        Ok(_folding) => every_kind(NAME, "hugetlb", 512),
        Err(why) => skipped(NAME, &why),
    }
}

fn every_kind(name: &str, backing: &str, pages: u64) {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    let mut counted = 0;
    for (kind, subsystem) in KINDS {
        let words = format!("{kind} --backing {backing} --pages {pages} --reserve");
        let (pinload, ready) = match Pinload::start(&words, 1) {
            Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Started::Unavailable(why) => {
                left_out(&words, &why);
                continue;
            }
        };
        counted += 1;
        checks.about(format!("{words}, held"));
        let report = recording.settled();
        report.check(&mut checks);
        check_held(&report, &ready, subsystem, &mut checks);
        let pid = number(&ready["pid"]);
        checks.holds(pinload.end().success(), "pinload's end");
        checks.about(format!("{words}, released"));
        let report = recording.once(&words, |report| report.figure(pid, "pages_held") == 0);
        report.check(&mut checks);
        check_released(&report, &ready, &mut checks);
    }
    let report = recording.finish();
    checks.about("at the end");
    report.check(&mut checks);
    checks.same("balance.ledger_held", report.balance("ledger_held"), 0);
    checks.conclude();
    if counted == 0 {
        skipped(name, &"this kernel offers no kind of pin on such pages");
    }
}

/// Checks the figures of the holder of a `ready` line while it holds pins.
fn check_held(report: &Report, ready: &Value, subsystem: &str, checks: &mut Checks) {
    let pid = number(&ready["pid"]);
    for (key, figure) in [
        ("held", "pages_held"),
        ("acquired", "acquired"),
        ("released", "released"),
    ] {
        if let Some(pins) = expected(ready, key) {
            checks.same(figure, report.figure(pid, figure), pins);
        }
    }
    let process = report.process(pid);
    if process.is_null() {
        return;
    }
    let held = report.figure(pid, "pages_held");
    // On every tested kernel, pins that outlast a call are long-term pins.
    checks.same(
        "longterm_pages_held",
        report.figure(pid, "longterm_pages_held"),
        held,
    );
    checks.same(
        "bytes_held",
        report.figure(pid, "bytes_held"),
        bytes_kept(ready, held),
    );
    checks.same("comm", process["comm"].as_str(), Some("pinload"));
    checks.same("ended", process["ended"].is_null(), true);
    let subsystems = process["subsystems"].as_object().unwrap();
    let names: Vec<_> = subsystems.keys().map(String::as_str).collect();
    checks.same("subsystems", names, vec![subsystem]);
    checks.same(
        "pages of the subsystem",
        process["subsystems"][subsystem].as_u64(),
        Some(held),
    );
    check_extents(process, ready, held, checks);
}

/// Checks the addresses of the pages.
fn check_extents(process: &Value, ready: &Value, held: u64, checks: &mut Checks) {
    let extents = process["extents_held"].as_array().unwrap();
    let sum: u64 = extents.iter().map(|extent| number(&extent["pages_held"])).sum();
    checks.same("pages in extents", sum, held);
    if held == 0 {
        return;
    }
    let lowest = extents.iter().map(|extent| hexadecimal(&extent["address"])).min();
    // The address of a pin on a file is the offset in the file.
    let address = if ready["kind"] == "udmabuf" {
        0
    } else {
        hexadecimal(&ready["address"])
    };
    checks.same("address", lowest, Some(address));
}

/// Returns the bytes of the small or huge pages that the pins keep in place.
fn bytes_kept(ready: &Value, held: u64) -> u64 {
    match ready["backing"].as_str() {
        _ if held == 0 => 0,
        Some("small") => held * PAGE,
        _ => (number(&ready["pages"]) * PAGE).next_multiple_of(HUGE),
    }
}

/// Checks the figures of the holder of a `ready` line after its release.
fn check_released(report: &Report, ready: &Value, checks: &mut Checks) {
    let pid = number(&ready["pid"]);
    if let Some(pins) = expected(ready, "acquired") {
        checks.same("acquired", report.figure(pid, "acquired"), pins);
        checks.same("released", report.figure(pid, "released"), pins);
    }
    for key in ["pages_held", "bytes_held", "longterm_pages_held", "extents"] {
        checks.same(key, report.figure(pid, key), 0);
    }
}

#[test]
fn a_large_registration_in_one_call_is_exact() {
    let recording = Recording::shared();
    let (pinload, ready) = Pinload::hold("io-uring --pages 65536", 1);
    let mut checks = Checks::default();
    checks.about("held");
    let report = recording.settled();
    report.check(&mut checks);
    check_held(&report, &ready[0], "io_uring", &mut checks);
    checks.same(
        "pages_held",
        report.figure(number(&ready[0]["pid"]), "pages_held"),
        65536,
    );
    pinload.end();
    checks.about("released");
    let report = recording.finish();
    report.check(&mut checks);
    check_released(&report, &ready[0], &mut checks);
    checks.conclude();
}

#[test]
fn untouched_pages_and_zero_pages_are_counted_as_vmstat_counts_them() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
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
        let (pinload, ready) = match Pinload::start(&format!("{words} --reserve"), 1) {
            Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Started::Unavailable(why) => {
                left_out(words, &why);
                continue;
            }
        };
        checks.about(words);
        let report = recording.settled();
        report.check(&mut checks);
        let pid = number(&ready["pid"]);
        for (key, figure) in [
            ("held", "pages_held"),
            ("acquired", "acquired"),
            ("released", "released"),
        ] {
            if let Some(pins) = expected(&ready, key) {
                checks.same(figure, report.figure(pid, figure), pins);
            }
        }
        // The vmstat counters give the number of pins in all cases, pinload only in some.
        let vmstat = |key| report.balance(key) - before.balance(key);
        let pinned = vmstat("vmstat_acquired") - vmstat("gup_retry");
        checks.same(
            "acquired",
            i64::try_from(report.figure(pid, "acquired")).unwrap(),
            pinned,
        );
        checks.holds(pinload.end().success(), "pinload's end");
        recording
            .once(words, |report| report.figure(pid, "pages_held") == 0)
            .check(&mut checks);
    }
    recording.finish().check(&mut checks);
    checks.conclude();
}
