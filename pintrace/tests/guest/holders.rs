//! Open files that hold pins in unusual ways (`pinload holder`): a scan names the holder, and nobody else. The same tests
//! run in guests and, if permitted, on this machine (`cargo xtask test`).

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Checks, Pinload, Started, left_out, number, skipped};
use crate::scan::{Scan, is_possible};

/// The pages of a ring, and the processes that have the ring open.
type SharedRing = (u64, BTreeSet<u64>);
/// A case of `pinload holder`, and the key by which `opened_by` shows how the holder has the file open.
type HolderCase = (&'static str, &'static str);

#[test]
fn pins_belong_to_the_process_that_keeps_the_file_open() {
    check(
        "pins_belong_to_the_process_that_keeps_the_file_open",
        &[
            ("half-unmapped", "fd"),
            ("ring-kept-by-mapping", "mapped_at"),
            ("registered-ring", "registered_ring"),
            ("passed-ring", "fd"),
            ("duplicated", "fd"),
            ("sparse-table", "fd"),
        ],
    );
}

#[test]
fn pins_of_a_process_are_found_whatever_happens_to_its_memory_and_threads() {
    check(
        "pins_of_a_process_are_found_whatever_happens_to_its_memory_and_threads",
        &[("shared-memory", "fd"), ("zombie-leader", "fd"), ("execed", "fd")],
    );
}

#[test]
fn pins_of_rings_in_user_memory_are_found() {
    check(
        "pins_of_rings_in_user_memory_are_found",
        &[("no-mmap-ring", "fd"), ("buffer-ring", "fd")],
    );
}

#[test]
fn pins_of_several_files_on_the_same_memory_are_counted_once() {
    check(
        "pins_of_several_files_on_the_same_memory_are_counted_once",
        &[("shared-umem", "fd"), ("many-owners", "fd")],
    );
}

/// No false accusation: a descriptor that can hold pins, and that holds none, gives its process nothing.
#[test]
fn idle_descriptors_of_every_kind_give_their_processes_nothing() {
    check(
        "idle_descriptors_of_every_kind_give_their_processes_nothing",
        &[("idle-descriptors", "fd")],
    );
}

#[test]
fn pins_of_a_file_in_an_unread_message_have_no_known_holder() {
    check(
        "pins_of_a_file_in_an_unread_message_have_no_known_holder",
        &[("in-flight-ring", "fd"), ("in-flight-socket", "fd")],
    );
}

/// The live view names the open file and the descriptor of pins that are older than the view.
#[test]
fn an_open_file_that_pinned_before_the_view_is_a_holder_with_its_descriptor() {
    const NAME: &str = "an_open_file_that_pinned_before_the_view_is_a_holder_with_its_descriptor";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    let mut held = Vec::new();
    for (words, link, holder) in [
        ("io-uring --pages 64", "anon_inode:[io_uring]", "io_uring"),
        ("io-uring --pages 32", "anon_inode:[io_uring]", "io_uring"),
        ("af-xdp --pages 16", "socket:", "AF_XDP socket"),
    ] {
        match Pinload::start(words, 1) {
            Started::Ready(pinload, ready) => held.push((pinload, ready[0].clone(), link, holder)),
            Started::Unavailable(why) => left_out(words, &why),
        }
    }
    let words = ["top", "--batch", "-n", "1", "--view", "holders", "--json"];
    let output = Command::new("pintrace").args(words).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = document["rows"].as_array().unwrap();
    for (pinload, ready, link, holder) in held {
        let pid = &ready["pid"];
        checks.about(format!("{holder} of {pid}"));
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let mut named = descriptors.filter(|one| {
            let target = fs::read_link(one.path()).unwrap_or_default();
            target.to_string_lossy().starts_with(link)
        });
        let expected = named.next().unwrap().file_name().into_string().unwrap();
        let row = rows.iter().find(|row| row["pid"] == *pid).unwrap_or(&Value::Null);
        checks.same("holder", row["holder"].as_str(), Some(holder));
        checks.same("descriptor", row["descriptor"].as_str(), Some(expected.as_str()));
        checks.same("evidence", row["evidence"].as_str(), Some("kernel table"));
        let pages = ready["expected_pins"]["held"].as_u64();
        checks.same("pages", row["pages_held"].as_u64(), pages);
        checks.holds(pinload.end().success(), "pinload's end");
    }
    checks.conclude();
}

#[test]
fn holders_stay_right_under_churn() {
    churn("holders_stay_right_under_churn", 200, 4);
}

#[test]
#[ignore = "takes minutes in a guest; `cargo xtask test` runs it on this machine"]
fn holders_stay_right_under_long_churn() {
    churn("holders_stay_right_under_long_churn", 1000, 20);
}

/// Workers open, pass, duplicate, inherit and close rings. At each checkpoint, one scan shows each ring with its pages and
/// with the processes that have it open.
fn churn(name: &str, rings: u64, checkpoints: u64) {
    if !is_possible(name) {
        return;
    }
    let words = format!("holder churn --rings {rings} --checkpoints {checkpoints}");
    let (mut pinload, mut line) = match Pinload::at_checkpoint(&words) {
        Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
        Started::Unavailable(why) => return skipped(name, &why),
    };
    let mut checks = Checks::default();
    let mut passed = 0;
    loop {
        passed += 1;
        check_churn(&mut checks, &line);
        pinload.pass_gate();
        let Some(next) = pinload.line() else {
            break;
        };
        // Pinload ends with a line `error` if the kernel keeps pins that must go.
        assert_eq!(next["event"], "checkpoint", "{next}");
        line = next;
    }
    checks.about("churn");
    checks.same("checkpoints", passed, checkpoints);
    checks.same("rings opened", number(&line["opened"]), rings);
    println!("churn: {} operations", line["steps"]);
    checks.holds(pinload.end().success(), "pinload's end");
    checks.conclude();
}

fn check(name: &str, cases: &[HolderCase]) {
    if !is_possible(name) {
        return;
    }
    let mut checks = Checks::default();
    let mut played = 0;
    for &(case, place) in cases {
        match Pinload::start(&format!("holder {case}"), 1) {
            Started::Ready(pinload, ready) => {
                played += 1;
                check_case(&mut checks, pinload, &ready[0], place);
            }
            Started::Unavailable(why) => left_out(case, &why),
        }
    }
    if played == 0 {
        skipped(name, &"this system offers no case");
    }
    checks.conclude();
}

fn check_case(checks: &mut Checks, pinload: Pinload, ready: &Value, place: &str) {
    let case = ready["case"].as_str().unwrap();
    let held = ready["held"].as_array().unwrap();
    let innocent: Vec<_> = ready["innocent"].as_array().unwrap().iter().map(number).collect();
    let holders = held.iter().map(|one| number(&one["pid"]));
    let pids: Vec<_> = holders.chain(innocent.iter().copied()).collect();

    checks.about(format!("{case}, held"));
    let pinned = number(&ready["pinned"]);
    let scan = scan_alone(pinned);
    scan.check(checks);
    for expected in held {
        check_holder(checks, &scan, expected, place, &pids);
    }
    for pid in innocent {
        checks.same("pages of an innocent process", scan.pages(pid), 0);
    }
    checks.holds(pinload.end().success(), "pinload's end");

    checks.about(format!("{case}, released"));
    let rest = scan.pinned().saturating_sub(pinned);
    let after = Scan::once("the release", |scan| scan.pinned() <= rest);
    after.check(checks);
    checks.same(
        "pages beside those of the case",
        scan.pinned(),
        pinned + after.pinned(),
    );
    for pid in pids {
        checks.same("an ended process", after.process(pid), &Value::Null);
    }
}

/// Scans until the scan finds only `pinned` pins, at most three times. Other programs on this machine may pin for the
/// time of one I/O.
fn scan_alone(pinned: u64) -> Scan {
    let again = (0..2).map(|_| Scan::now()).find(|scan| scan.pinned() == pinned);
    again.unwrap_or_else(Scan::now)
}

/// Checks the pages and the evidence of a process that holds pins. Processes of the case alone have its files open.
fn check_holder(checks: &mut Checks, scan: &Scan, expected: &Value, place: &str, pids: &[u64]) {
    let pid = number(&expected["pid"]);
    checks.same("pages", scan.pages(pid), number(&expected["pages"]));
    let holders = scan.process(pid)["holders"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let pages = holders.iter().map(|holder| number(&holder["pages"])).sum::<u64>();
    checks.same("pages of the holders", pages, number(&expected["pages"]));
    for holder in &holders {
        checks.same("subsystem", &holder["subsystem"], &expected["subsystem"]);
        checks.same("evidence", holder["evidence"].as_str(), Some("kernel_table"));
        let openers = holder["opened_by"].as_array().unwrap();
        let own = |opener: &&Value| opener["pid"] == pid;
        checks.holds(
            openers.iter().any(|one| own(&one)),
            "the holder has the file open",
        );
        let places = openers.iter().filter(own).all(|one| one[place].is_u64());
        checks.holds(places, &format!("the file is open by {place}"));
        let known = openers.iter().all(|one| pids.contains(&number(&one["pid"])));
        checks.holds(known, "only processes of the case have the file open");
    }
}

/// Compares one scan with the rings at a checkpoint. Each ring counts for one of the processes that have it open.
fn check_churn(checks: &mut Checks, line: &Value) {
    checks.about(format!("churn, after {} steps", line["steps"]));
    let pool = pids(&line["pids"]);
    let rings = line["rings"].as_array().unwrap().iter();
    let mut expected: Vec<SharedRing> = rings
        .map(|ring| (number(&ring["pages"]), pids(&ring["pids"])))
        .collect();
    let scan = Scan::now();
    scan.check(checks);
    let mut found: Vec<SharedRing> = Vec::new();
    for process in scan.document["processes"].as_array().unwrap() {
        let pid = number(&process["pid"]);
        for holder in process["holders"].as_array().unwrap() {
            let openers = holder["opened_by"].as_array().unwrap().iter();
            let openers: BTreeSet<_> = openers.map(|opener| number(&opener["pid"])).collect();
            if !pool.contains(&pid) && openers.is_disjoint(&pool) {
                continue;
            }
            checks.same("subsystem", holder["subsystem"].as_str(), Some("io_uring"));
            checks.same("evidence", holder["evidence"].as_str(), Some("kernel_table"));
            checks.holds(
                openers.contains(&pid),
                "a process with the ring open has its pages",
            );
            found.push((number(&holder["pages"]), openers));
        }
    }
    let total: u64 = found.iter().map(|(pages, _)| pages).sum();
    checks.same("pages of all rings", total, number(&line["total"]));
    checks.same(
        "pages without a holder",
        number(&scan.document["unknown_pins"]["pages"]),
        0,
    );
    expected.sort_unstable();
    found.sort_unstable();
    checks.same("the rings", found, expected);
}

fn pids(list: &Value) -> BTreeSet<u64> {
    list.as_array().unwrap().iter().map(number).collect()
}
