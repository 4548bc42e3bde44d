//! Whose pins they are, and what becomes of them: processes, threads, children, rings and memory that are
//! shared, ends of every kind.

use serde_json::Value;

use crate::harness::{Began, Findings, HUGE, PAGE, Pinload, Report, number};
use crate::recording::Recording;

const PAGES: u64 = 64;

fn pid(line: &Value) -> u64 {
    number(&line["pid"])
}

/// A process that holds, acquired and released so many pages.
fn shows(findings: &mut Findings, report: &Report, pid: u64, [held, acquired, released]: [u64; 3]) {
    for (key, expected) in [
        ("pages_held", held),
        ("acquired", acquired),
        ("released", released),
    ] {
        findings.same(&format!("{key} of {pid}"), report.figure(pid, key), expected);
    }
}

#[test]
fn pins_end_with_their_release_however_it_comes() {
    let recording = Recording::shared();
    let mut findings = Findings::default();
    for kind in ["io-uring", "af-xdp", "udmabuf"] {
        for (release, signal) in [("explicit", 0), ("close", 0), ("exit", 0), ("kill", 9)] {
            let words = format!("{kind} --release {release}");
            let Began::Ready(pinload, ready) = Pinload::begin(&words, 1) else {
                println!("left out: {words}: this kernel does not offer it");
                continue;
            };
            findings.about(&words);
            let pid = pid(&ready[0]);
            let last = pinload.last_line();
            let report = recording.once(&words, |report| {
                report.figure(pid, "pages_held") == 0 && !report.process(pid)["ended"].is_null()
            });
            report.check(&mut findings);
            shows(&mut findings, &report, pid, [0, PAGES, PAGES]);
            let ended = &report.process(pid)["ended"];
            findings.same("signal", number(&ended["signal"]), signal);
            findings.same("status", number(&ended["status"]), 0);
            let held = number(&ended["pages_held"]);
            if ["exit", "kill"].contains(&release) {
                findings.same("pages held at the end", held, PAGES);
            } else if last["deferred"] != true {
                findings.same("pages held at the end", held, 0);
            }
        }
    }
    recording.finish().check(&mut findings);
    findings.conclude();
}

#[test]
fn a_holder_killed_from_outside_is_told_with_what_it_held() {
    let recording = Recording::shared();
    let mut findings = Findings::default();
    let (pinload, ready) = Pinload::hold("io-uring --name victim", 1);
    let pid = pid(&ready[0]);
    findings.about("alive");
    shows(&mut findings, &recording.settled(), pid, [PAGES, PAGES, 0]);
    pinload.kill();
    findings.about("dead");
    let report = recording.once("its pins to end", |report| report.figure(pid, "pages_held") == 0);
    report.check(&mut findings);
    shows(&mut findings, &report, pid, [0, PAGES, PAGES]);
    let process = report.process(pid);
    findings.same("comm", process["comm"].as_str(), Some("victim"));
    findings.same("signal", number(&process["ended"]["signal"]), 9);
    findings.same(
        "pages held at the end",
        number(&process["ended"]["pages_held"]),
        PAGES,
    );
    findings.same("extents", number(&process["extents"]), 0);
    recording.finish().check(&mut findings);
    findings.conclude();
}

/// Starts a holder under the id of a process that has ended.
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
    panic!("the kernel gives process id {id} to nobody");
}

#[test]
fn a_process_with_the_id_of_one_that_ended_is_another() {
    const LATER: u64 = 48;
    let recording = Recording::shared();
    let mut findings = Findings::default();
    // What the first holds outlives it, in a ring of another process.
    let (mut ring, ready) = Pinload::hold("io-uring --shared-ring --release kill", 1);
    let id = pid(&ready[0]);
    ring.go_on();
    while ring.line().is_some_and(|line| line["event"] != "outlived") {}
    let (second, _) = hold_as(id, &format!("io-uring --pages {LATER} --name second"));
    findings.about("both hold");
    let report = recording.settled();
    report.check(&mut findings);
    shows(&mut findings, &report, id, [LATER, LATER, 0]);
    findings.holds(ring.end().success(), "the end of who has the ring");
    findings.about("the first's pins have ended");
    let released = |report: &Report| -> u64 {
        let both = report.processes().iter().filter(|process| process["pid"] == id);
        both.map(|process| number(&process["released"])).sum()
    };
    let report = recording.once("the first's release", |report| released(report) == PAGES);
    report.check(&mut findings);
    shows(&mut findings, &report, id, [LATER, LATER, 0]);
    second.kill();
    findings.about("the second is dead");
    let report = recording.once("the second's release", |report| released(report) == PAGES + LATER);
    report.check(&mut findings);
    let ended = &report.process(id)["ended"];
    findings.same("pages held at the end", number(&ended["pages_held"]), LATER);
    recording.finish().check(&mut findings);
    findings.conclude();
}

#[test]
fn two_processes_threads_and_children_are_told_apart() {
    let recording = Recording::shared();
    let mut findings = Findings::default();
    let before = recording.settled().balance("ambiguous_owner");

    findings.about("two processes");
    let (one, ready_one) = Pinload::hold("io-uring --pages 64", 1);
    let (two, ready_two) = Pinload::hold("af-xdp --pages 96", 1);
    let (first, second) = (pid(&ready_one[0]), pid(&ready_two[0]));
    let report = recording.settled();
    report.check(&mut findings);
    shows(&mut findings, &report, first, [64, 64, 0]);
    shows(&mut findings, &report, second, [96, 96, 0]);
    one.end();
    findings.about("one of two processes");
    let report = recording.once("one to release", |report| report.figure(first, "pages_held") == 0);
    report.check(&mut findings);
    shows(&mut findings, &report, second, [96, 96, 0]);
    two.end();

    findings.about("threads");
    let (pinload, ready) = Pinload::hold("io-uring --threads 2", 2);
    let report = recording.settled();
    report.check(&mut findings);
    shows(&mut findings, &report, pid(&ready[0]), [128, 128, 0]);
    let threads = report.process(pid(&ready[0]))["threads"].as_array().unwrap();
    let mut shown: Vec<_> = threads
        .iter()
        .map(|thread| (number(&thread["tid"]), number(&thread["pages_held"])))
        .collect();
    let mut told: Vec<_> = ready.iter().map(|line| (number(&line["tid"]), PAGES)).collect();
    shown.sort_unstable();
    told.sort_unstable();
    findings.same("pages by thread", shown, told);
    pinload.end();

    findings.about("parent and child");
    let (pinload, ready) = Pinload::hold("io-uring --fork-child", 2);
    findings.holds(pid(&ready[0]) != pid(&ready[1]), "two processes");
    let report = recording.settled();
    report.check(&mut findings);
    for line in &ready {
        shows(&mut findings, &report, pid(line), [PAGES, PAGES, 0]);
    }
    pinload.end();

    findings.about("at the end");
    let report = recording.finish();
    report.check(&mut findings);
    findings.same("balance.ledger_held", report.balance("ledger_held"), 0);
    findings.same(
        "balance.ambiguous_owner",
        report.balance("ambiguous_owner") - before,
        0,
    );
    findings.conclude();
}

#[test]
fn a_pin_through_a_shared_ring_is_of_the_process_that_registers_and_outlives_it() {
    let recording = Recording::shared();
    let mut findings = Findings::default();

    findings.about("released by the child");
    let (pinload, ready) = Pinload::hold("io-uring --shared-ring", 1);
    let (child, owner) = (pid(&ready[0]), number(&ready[0]["ring_owner_pid"]));
    let report = recording.settled();
    report.check(&mut findings);
    shows(&mut findings, &report, child, [PAGES, PAGES, 0]);
    shows(&mut findings, &report, owner, [0, 0, 0]);
    pinload.end();
    let report = recording.once("the child to release", |report| {
        report.figure(child, "pages_held") == 0
    });
    report.check(&mut findings);
    shows(&mut findings, &report, child, [0, PAGES, PAGES]);

    findings.about("the child is killed");
    let (mut pinload, ready) = Pinload::hold("io-uring --shared-ring --release kill", 1);
    let child = pid(&ready[0]);
    pinload.go_on();
    while pinload.line().is_some_and(|line| line["event"] != "outlived") {}
    let report = recording.once("the child's end", |report| {
        !report.process(child)["ended"].is_null()
    });
    report.check(&mut findings);
    shows(&mut findings, &report, child, [PAGES, PAGES, 0]);
    let ended = &report.process(child)["ended"];
    findings.same("signal", number(&ended["signal"]), 9);
    findings.same("pages held at the end", number(&ended["pages_held"]), PAGES);
    findings.holds(pinload.end().success(), "the owner's end");
    findings.about("the ring is closed");
    let report = recording.once("the ring to go", |report| report.figure(child, "pages_held") == 0);
    report.check(&mut findings);
    shows(&mut findings, &report, child, [0, PAGES, PAGES]);

    recording.finish().check(&mut findings);
    findings.conclude();
}

#[test]
fn two_holders_of_the_same_pages_each_show_their_own() {
    let recording = Recording::shared();
    let mut findings = Findings::default();
    for (backing, bytes) in [("small", PAGES * PAGE), ("thp", HUGE), ("hugetlb", HUGE)] {
        let words = format!("io-uring --shared-memory --reserve --backing {backing}");
        let before = recording.settled().balance("ambiguous_owner");
        let (pinload, ready) = match Pinload::begin(&words, 2) {
            Began::Ready(pinload, ready) => (pinload, ready),
            Began::Unavailable(why) => {
                println!("left out: {words}: {why}");
                continue;
            }
        };
        findings.about(format!("{words}, held"));
        let report = recording.settled();
        report.check(&mut findings);
        for line in &ready {
            let pins = |key: &str| number(&line["expected_pins"][key]);
            shows(
                &mut findings,
                &report,
                pid(line),
                [pins("held"), pins("acquired"), pins("released")],
            );
            findings.same("bytes_held", report.figure(pid(line), "bytes_held"), bytes);
        }
        findings.holds(pinload.end().success(), "pinload's end");
        findings.about(format!("{words}, released"));
        let report = recording.once("both to release", |report| {
            ready
                .iter()
                .all(|line| report.figure(pid(line), "pages_held") == 0)
        });
        report.check(&mut findings);
        for line in &ready {
            shows(&mut findings, &report, pid(line), [0, PAGES, PAGES]);
            findings.same("bytes_held", report.figure(pid(line), "bytes_held"), 0);
        }
        // All that the child gave back, while its parent held the same.
        findings.same(
            "balance.ambiguous_owner",
            report.balance("ambiguous_owner") - before,
            i64::try_from(PAGES).unwrap(),
        );
    }
    recording.finish().check(&mut findings);
    findings.conclude();
}
