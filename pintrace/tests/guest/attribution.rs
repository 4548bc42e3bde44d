//! Attribution of pins to processes and threads: children, shared rings, shared memory, and every way in which a pin or
//! a process ends.

use serde_json::Value;

use crate::harness::{Checks, HUGE, PAGE, Pinload, Report, Started, left_out, number};
use crate::recording::Recording;

const PAGES: u64 = 64;

fn pid(line: &Value) -> u64 {
    number(&line["pid"])
}

/// Checks the pages that a process holds, has acquired and has released.
fn shows(checks: &mut Checks, report: &Report, pid: u64, [held, acquired, released]: [u64; 3]) {
    for (key, expected) in [
        ("pages_held", held),
        ("acquired", acquired),
        ("released", released),
    ] {
        checks.same(&format!("{key} of {pid}"), report.figure(pid, key), expected);
    }
}

#[test]
fn every_kind_of_release_ends_a_pin() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    for kind in ["io-uring", "af-xdp", "udmabuf"] {
        for (release, signal) in [("explicit", 0), ("close", 0), ("exit", 0), ("kill", 9)] {
            let words = format!("{kind} --release {release}");
            let Started::Ready(pinload, ready) = Pinload::start(&words, 1) else {
                left_out(&words, &"this kernel does not offer it");
                continue;
            };
            checks.about(&words);
            let pid = pid(&ready[0]);
            let last = pinload.last_line();
            let report = recording.once(&words, |report| {
                report.figure(pid, "pages_held") == 0 && !report.process(pid)["ended"].is_null()
            });
            report.check(&mut checks);
            shows(&mut checks, &report, pid, [0, PAGES, PAGES]);
            let ended = &report.process(pid)["ended"];
            checks.same("signal", number(&ended["signal"]), signal);
            checks.same("status", number(&ended["status"]), 0);
            let held = number(&ended["pages_held"]);
            if ["exit", "kill"].contains(&release) {
                checks.same("pages held at the end", held, PAGES);
            } else if last["deferred"] != true {
                checks.same("pages held at the end", held, 0);
            }
        }
    }
    recording.finish().check(&mut checks);
    checks.conclude();
}

#[test]
fn a_killed_process_is_reported_with_the_pages_it_held() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    let (pinload, ready) = Pinload::hold("io-uring --name victim", 1);
    let pid = pid(&ready[0]);
    checks.about("alive");
    shows(&mut checks, &recording.settled(), pid, [PAGES, PAGES, 0]);
    pinload.kill();
    checks.about("dead");
    let report = recording.once("its pins to end", |report| report.figure(pid, "pages_held") == 0);
    report.check(&mut checks);
    shows(&mut checks, &report, pid, [0, PAGES, PAGES]);
    let process = report.process(pid);
    checks.same("comm", process["comm"].as_str(), Some("victim"));
    checks.same("signal", number(&process["ended"]["signal"]), 9);
    checks.same(
        "pages held at the end",
        number(&process["ended"]["pages_held"]),
        PAGES,
    );
    checks.same("extents", number(&process["extents"]), 0);
    recording.finish().check(&mut checks);
    checks.conclude();
}

/// Starts a holder that reuses the pid of a process that has ended.
fn hold_as(id: u64, words: &str) -> (Pinload, Vec<Value>) {
    const ATTEMPTS: u32 = 20;
    for _ in 0..ATTEMPTS {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (id - 1).to_string()).unwrap();
        let (pinload, ready) = Pinload::hold(words, 1);
        if pid(&ready[0]) == id {
            return (pinload, ready);
        }
        pinload.end();
    }
    panic!("pid {id} was not reused in {ATTEMPTS} attempts");
}

#[test]
fn a_process_that_reuses_a_pid_is_another_process() {
    const LATER: u64 = 48;
    let recording = Recording::shared();
    let mut checks = Checks::default();
    // The pins of the first holder outlive the holder, in a ring of another process.
    let (mut ring, ready) = Pinload::hold("io-uring --shared-ring --release kill", 1);
    let id = pid(&ready[0]);
    ring.pass_gate();
    while ring.line().is_some_and(|line| line["event"] != "outlived") {}
    let (second, _) = hold_as(id, &format!("io-uring --pages {LATER} --name second"));
    checks.about("both hold");
    let report = recording.settled();
    report.check(&mut checks);
    shows(&mut checks, &report, id, [LATER, LATER, 0]);
    checks.holds(ring.end().success(), "the end of the ring's owner");
    checks.about("the pins of the first holder have ended");
    let released = |report: &Report| -> u64 {
        let both = report.processes().iter().filter(|process| process["pid"] == id);
        both.map(|process| number(&process["released"])).sum()
    };
    let report = recording.once("the first's release", |report| released(report) == PAGES);
    report.check(&mut checks);
    shows(&mut checks, &report, id, [LATER, LATER, 0]);
    second.kill();
    checks.about("the second holder is dead");
    let report = recording.once("the second's release", |report| released(report) == PAGES + LATER);
    report.check(&mut checks);
    let ended = &report.process(id)["ended"];
    checks.same("pages held at the end", number(&ended["pages_held"]), LATER);
    recording.finish().check(&mut checks);
    checks.conclude();
}

#[test]
fn pins_of_processes_threads_and_children_are_distinguished() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    let before = recording.settled().balance("ambiguous_owner");

    checks.about("two processes");
    let (one, ready_one) = Pinload::hold("io-uring --pages 64", 1);
    let (two, ready_two) = Pinload::hold("af-xdp --pages 96", 1);
    let (first, second) = (pid(&ready_one[0]), pid(&ready_two[0]));
    let report = recording.settled();
    report.check(&mut checks);
    shows(&mut checks, &report, first, [64, 64, 0]);
    shows(&mut checks, &report, second, [96, 96, 0]);
    one.end();
    checks.about("one of two processes");
    let report = recording.once("one to release", |report| report.figure(first, "pages_held") == 0);
    report.check(&mut checks);
    shows(&mut checks, &report, second, [96, 96, 0]);
    two.end();

    checks.about("threads");
    let (pinload, ready) = Pinload::hold("io-uring --threads 2", 2);
    let report = recording.settled();
    report.check(&mut checks);
    shows(&mut checks, &report, pid(&ready[0]), [128, 128, 0]);
    let threads = report.process(pid(&ready[0]))["threads"].as_array().unwrap();
    let mut shown: Vec<_> = threads
        .iter()
        .map(|thread| (number(&thread["tid"]), number(&thread["pages_held"])))
        .collect();
    let mut reported: Vec<_> = ready.iter().map(|line| (number(&line["tid"]), PAGES)).collect();
    shown.sort_unstable();
    reported.sort_unstable();
    checks.same("pages by thread", shown, reported);
    pinload.end();

    checks.about("parent and child");
    let (pinload, ready) = Pinload::hold("io-uring --fork-child", 2);
    checks.holds(pid(&ready[0]) != pid(&ready[1]), "two processes");
    let report = recording.settled();
    report.check(&mut checks);
    for line in &ready {
        shows(&mut checks, &report, pid(line), [PAGES, PAGES, 0]);
    }
    pinload.end();

    checks.about("at the end");
    let report = recording.finish();
    report.check(&mut checks);
    checks.same("balance.ledger_held", report.balance("ledger_held"), 0);
    checks.same(
        "balance.ambiguous_owner",
        report.balance("ambiguous_owner") - before,
        0,
    );
    checks.conclude();
}

#[test]
fn a_pin_through_a_shared_ring_belongs_to_the_registering_process_and_outlives_it() {
    let recording = Recording::shared();
    let mut checks = Checks::default();

    checks.about("released by the child");
    let (pinload, ready) = Pinload::hold("io-uring --shared-ring", 1);
    let (child, owner) = (pid(&ready[0]), number(&ready[0]["ring_owner_pid"]));
    let report = recording.settled();
    report.check(&mut checks);
    shows(&mut checks, &report, child, [PAGES, PAGES, 0]);
    shows(&mut checks, &report, owner, [0, 0, 0]);
    pinload.end();
    let report = recording.once("the child to release", |report| {
        report.figure(child, "pages_held") == 0
    });
    report.check(&mut checks);
    shows(&mut checks, &report, child, [0, PAGES, PAGES]);

    checks.about("the child is killed");
    let (mut pinload, ready) = Pinload::hold("io-uring --shared-ring --release kill", 1);
    let child = pid(&ready[0]);
    pinload.pass_gate();
    while pinload.line().is_some_and(|line| line["event"] != "outlived") {}
    let report = recording.once("the child's end", |report| {
        !report.process(child)["ended"].is_null()
    });
    report.check(&mut checks);
    shows(&mut checks, &report, child, [PAGES, PAGES, 0]);
    let ended = &report.process(child)["ended"];
    checks.same("signal", number(&ended["signal"]), 9);
    checks.same("pages held at the end", number(&ended["pages_held"]), PAGES);
    checks.holds(pinload.end().success(), "the owner's end");
    checks.about("the ring is closed");
    let report = recording.once("the ring to go", |report| report.figure(child, "pages_held") == 0);
    report.check(&mut checks);
    shows(&mut checks, &report, child, [0, PAGES, PAGES]);

    recording.finish().check(&mut checks);
    checks.conclude();
}

#[test]
fn two_holders_of_the_same_pages_are_each_shown_with_their_pins() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    for (backing, bytes) in [("small", PAGES * PAGE), ("thp", HUGE), ("hugetlb", HUGE)] {
        let words = format!("io-uring --shared-memory --reserve --backing {backing}");
        let before = recording.settled().balance("ambiguous_owner");
        let (pinload, ready) = match Pinload::start(&words, 2) {
            Started::Ready(pinload, ready) => (pinload, ready),
            Started::Unavailable(why) => {
                left_out(&words, &why);
                continue;
            }
        };
        checks.about(format!("{words}, held"));
        let report = recording.settled();
        report.check(&mut checks);
        for line in &ready {
            let pins = |key: &str| number(&line["expected_pins"][key]);
            shows(
                &mut checks,
                &report,
                pid(line),
                [pins("held"), pins("acquired"), pins("released")],
            );
            checks.same("bytes_held", report.figure(pid(line), "bytes_held"), bytes);
        }
        checks.holds(pinload.end().success(), "pinload's end");
        checks.about(format!("{words}, released"));
        let report = recording.once("both to release", |report| {
            ready
                .iter()
                .all(|line| report.figure(pid(line), "pages_held") == 0)
        });
        report.check(&mut checks);
        for line in &ready {
            shows(&mut checks, &report, pid(line), [0, PAGES, PAGES]);
            checks.same("bytes_held", report.figure(pid(line), "bytes_held"), 0);
        }
        // All pages that the child released while the parent held the same pages.
        checks.same(
            "balance.ambiguous_owner",
            report.balance("ambiguous_owner") - before,
            i64::try_from(PAGES).unwrap(),
        );
    }
    recording.finish().check(&mut checks);
    checks.conclude();
}
