//! Pin calls and registrations: durations, failures and refusals against the workload's own clock and errors.

use serde_json::Value;

use crate::harness::{Checks, Pinload, Report, Started, left_out, number, skipped, wait_for};
use crate::on_terminal::OnTerminal;
use crate::recording::Recording;

/// Returns the pin calls of the last process with an id through one subsystem; `Null` if it has made none.
pub(crate) fn calls(report: &Report, pid: u64, subsystem: &str) -> Value {
    let all = report.document["pin_calls"].as_array().unwrap();
    let mut of_process = all
        .iter()
        .filter(|row| row["pid"] == pid && row["subsystem"] == subsystem);
    of_process.next_back().cloned().unwrap_or(Value::Null)
}

/// Returns the failed registrations of a process.
pub(crate) fn refused(report: &Report, pid: u64) -> Vec<Value> {
    let all = report.document["failed_registrations"].as_array().unwrap();
    all.iter().filter(|one| one["pid"] == pid).cloned().collect()
}

#[test]
fn a_registration_takes_as_long_as_the_workloads_clock_says() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    for (words, pages) in [
        ("io-uring --pages 131072", 131_072),
        ("io-uring --pages 16384 --untouched", 16_384),
        ("io-uring --pages 131072 --backing hugetlb --reserve", 131_072),
        ("af-xdp --pages 4096", 4096),
        ("udmabuf --pages 4096", 4096),
    ] {
        checks.about(words);
        let (pinload, ready) = match Pinload::start(words, 1) {
            Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Started::Unavailable(why) => {
                left_out(words, &why);
                continue;
            }
        };
        let pid = number(&ready["pid"]);
        let subsystem = match words.split(' ').next() {
            Some("io-uring") => "io_uring",
            Some("af-xdp") => "af_xdp",
            _ => "udmabuf",
        };
        let report = recording.once(words, |report| calls(report, pid, subsystem) != Value::Null);
        let row = calls(&report, pid, subsystem);
        let most = number(&ready["time_ns"]) - number(&ready["began_ns"]);
        check_times(&mut checks, &row, most);
        for (key, expected) in [("wanted_pages", pages), ("registrations", 1), ("untimed", 0)] {
            checks.same(key, number(&row[key]), expected);
        }
        // memfd_pin_folios pins each folio once.
        let pinned = number(&ready["expected_pins"]["acquired"]);
        checks.same("pinned_pages", number(&row["pinned_pages"]), pinned);
        checks.same("failures", row["failures"].as_object().unwrap().len(), 0);
        let held = report.figure(pid, "bytes_held");
        let huge = if words.contains("hugetlb") { held } else { 0 };
        checks.holds(held != 0, "bytes are held");
        checks.same(
            "bytes held in huge folios",
            report.figure(pid, "huge_bytes_held"),
            huge,
        );
        checks.holds(pinload.end().success(), "pinload's end");
        let report = recording.once("the release", |report| report.figure(pid, "pages_held") == 0);
        checks.same(
            "huge bytes held afterwards",
            report.figure(pid, "huge_bytes_held"),
            0,
        );
    }
    recording.finish().check(&mut checks);
    checks.conclude();
}

/// Checks the times of a row with one registration against the longest time that it can have taken.
pub(crate) fn check_times(checks: &mut Checks, row: &Value, most: u64) {
    let registration = &row["latest_registration"];
    let took = number(&registration["took_ns"]);
    println!("{}: {took} ns of {most} ns", row["subsystem"]);
    checks.holds(
        (1..=most).contains(&took),
        "the registration is within the workload's times",
    );
    checks.same("slowest registration", &row["slowest_registration"], registration);
    let (total, longest) = (number(&row["total_ns"]), number(&row["longest_ns"]));
    checks.holds(
        total >= longest && total <= took,
        "the calls are within the registration",
    );
    let durations = row["durations"].as_array().unwrap().iter().map(number);
    checks.same("calls by duration", durations.sum::<u64>(), number(&row["calls"]));
    let speed = registration["bytes_per_second"].as_u64().unwrap();
    let pinned = u128::from(number(&registration["pinned_pages"])) * 4096;
    checks.same(
        "speed",
        u128::from(speed),
        pinned * 1_000_000_000 / u128::from(took),
    );
}

#[test]
fn failed_calls_and_refused_registrations_are_counted_with_limit_and_size() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    for (case, errno) in [("efault", "EFAULT"), ("memlock", "ENOMEM"), ("quiet", "")] {
        let words = format!("refused {case} --hold-until-stdin");
        checks.about(&words);
        let (pinload, line) = match Pinload::at_first(&words, "calls") {
            Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
            Started::Unavailable(why) => panic!("{words}: {why}"),
        };
        let pid = number(&line["pid"]);
        let made = number(&line["calls"]);
        let report = recording.once(&words, |report| calls(report, pid, "io_uring") != Value::Null);
        let row = calls(&report, pid, "io_uring");
        checks.same("calls", number(&row["calls"]), made);
        // A call that stops at a hole returns the pages before the hole.
        let short = row["failures"]["short"].as_u64().unwrap_or(0);
        checks.same("short calls", short, if case == "efault" { made } else { 0 });
        checks.same("wanted_pages", number(&row["wanted_pages"]), made * 64);
        let refused = refused(&report, pid);
        checks.same("kinds of refusals", refused.len(), usize::from(!errno.is_empty()));
        for one in &refused {
            checks.same(
                "call",
                &one["call"],
                &"io_uring_register(IORING_REGISTER_BUFFERS)".into(),
            );
            checks.same("errno", &one["errno"], &errno.into());
            checks.same("count", number(&one["count"]), made);
            checks.same("wanted_bytes", number(&one["wanted_bytes"]), 64 * 4096);
            if case == "memlock" {
                checks.same("limit_bytes", number(&one["limit_bytes"]), 64 << 10);
                checks.same("uid", number(&one["uid"]), 1000);
                checks.same("exempt", &one["exempt"], &false.into());
                let sentence = one["sentence"].as_str().unwrap();
                checks.holds(
                    sentence.contains("RLIMIT_MEMLOCK is 64 KiB, of which user 1000 used nothing"),
                    sentence,
                );
            }
        }
        checks.holds(pinload.end().success(), "pinload's end");
    }
    recording.finish().check(&mut checks);
    checks.conclude();
}

#[test]
fn a_thousand_registrations_at_once_are_each_counted() {
    const THREADS: u64 = 1000;
    const PAGES: u64 = 16;
    // Without finding hooks: the threads unmap more memory near pins than pintrace examines.
    let recording = Recording::of_ledger("thousand");
    let words = format!("io-uring --pages {PAGES} --threads {THREADS}");
    let mut checks = Checks::default();
    let threads = usize::try_from(THREADS).unwrap();
    let (pinload, ready) = match Pinload::start(&words, threads) {
        Started::Ready(pinload, ready) => (pinload, ready),
        Started::Unavailable(why) => {
            return skipped("a_thousand_registrations_at_once_are_each_counted", &why);
        }
    };
    let pid = number(&ready[0]["pid"]);
    let report = recording.once(&words, |report| {
        calls(report, pid, "io_uring")["calls"].as_u64() == Some(THREADS)
    });
    let row = calls(&report, pid, "io_uring");
    // The kernel may skip the hook on an entry for a thread, while a preempted thread is inside it.
    let missed = number(&report.document["loss"]["calls_missed"]);
    checks.holds(
        number(&row["untimed"]) <= missed,
        "calls without a duration are missed calls",
    );
    for (key, expected) in [
        ("registrations", THREADS),
        ("wanted_pages", THREADS * PAGES),
        ("pinned_pages", THREADS * PAGES),
    ] {
        checks.same(key, number(&row[key]), expected);
    }
    let longest = ready
        .iter()
        .map(|line| number(&line["time_ns"]) - number(&line["began_ns"]))
        .max();
    let slowest = number(&row["slowest_registration"]["took_ns"]);
    checks.holds(Some(slowest) <= longest, "the slowest registration");
    checks.same(
        "calls in flight",
        report.document["calls_in_flight"].as_array().unwrap().len(),
        0,
    );
    checks.holds(pinload.end().success(), "pinload's end");
    // All threads release at once. A preemptible kernel may skip both programs for some calls, which are counted.
    let end = recording.finish();
    if number(&end.document["loss"]["recursion_missed"]) == 0 {
        end.check(&mut checks);
    }
    checks.conclude();
}

#[test]
fn a_registration_is_seen_while_it_is_in_flight() {
    const NAME: &str = "a_registration_is_seen_while_it_is_in_flight";
    const PAGES: u64 = 600;
    let recording = Recording::shared();
    let before = recording.settled().balance("vmstat_held");
    let (mut pinload, line) =
        match Pinload::at_first(&format!("slow-registration --pages {PAGES}"), "registering") {
            Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
            Started::Unavailable(why) => return skipped(NAME, &why),
        };
    let pid = number(&line["pid"]);
    let mut checks = Checks::default();
    checks.about("in flight");
    let in_flight = |report: &Report| {
        let calls = report.document["calls_in_flight"].as_array().unwrap();
        calls.iter().find(|call| call["pid"] == pid).cloned()
    };
    // At 10 ms a page, 200 pages take 2 s, and the other pages 4 s.
    let report = recording.once("a third of the pages", |report| {
        in_flight(report).is_some_and(|call| call["pinned_pages"].as_u64() > Some(PAGES / 3))
    });
    let call = in_flight(&report).expect("the call is in flight for seconds");
    checks.same("comm", &call["comm"], &"pinload".into());
    checks.same("subsystem", &call["subsystem"], &"io_uring".into());
    checks.holds(call["descriptor"].is_u64(), "the descriptor is known");
    checks.same("wanted_pages", number(&call["wanted_pages"]), PAGES);
    let held = u64::try_from(report.balance("vmstat_held") - before).unwrap();
    checks.same("pinned_pages", number(&call["pinned_pages"]), held);
    checks.same("unaccounted", report.balance("unaccounted"), 0);
    checks.same("pages in the ledger", report.figure(pid, "acquired"), 0);
    let speed = number(&call["registration"]["bytes_per_second"]);
    checks.holds(
        (1..=PAGES * 4096).contains(&speed),
        "the speed is less than all pages a second",
    );
    let end = pinload.line().unwrap();
    assert_eq!(end["event"], "registered", "{end}");
    checks.about("afterwards");
    let report = recording.once("the end of the call", |report| {
        report.figure(pid, "acquired") == PAGES && in_flight(report).is_none()
    });
    report.check(&mut checks);
    let most = number(&end["time_ns"]) - number(&line["time_ns"]);
    check_times(&mut checks, &calls(&report, pid, "io_uring"), most);
    checks.holds(pinload.end().success(), "pinload's end");
    recording.finish().check(&mut checks);
    checks.conclude();
}

#[test]
fn a_call_in_flight_has_its_own_subsystem_if_the_thread_pinned_by_another_before() {
    const NAME: &str = "a_call_in_flight_has_its_own_subsystem_if_the_thread_pinned_by_another_before";
    let recording = Recording::shared();
    let (mut pinload, line) =
        match Pinload::at_first("slow-registration --pages 300 --after-umem", "registering") {
            Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
            Started::Unavailable(why) => return skipped(NAME, &why),
        };
    let pid = number(&line["pid"]);
    let in_flight = |report: &Report| {
        let calls = report.document["calls_in_flight"].as_array().unwrap();
        calls.iter().find(|call| call["pid"] == pid).cloned()
    };
    let report = recording.once("the call in flight, and the page of the socket", |report| {
        in_flight(report).is_some() && report.figure(pid, "acquired") == 1
    });
    let mut checks = Checks::default();
    let call = in_flight(&report).unwrap();
    checks.same("subsystem", &call["subsystem"], &"io_uring".into());
    // Not the page of the socket too: the call continues no registration of the socket.
    checks.same(
        "pages of the registration",
        number(&call["registration"]["wanted_pages"]),
        300,
    );
    assert_eq!(pinload.line().unwrap()["event"], "registered");
    checks.holds(pinload.end().success(), "pinload's end");
    recording.finish().check(&mut checks);
    checks.conclude();
}

#[test]
fn short_term_calls_that_succeed_are_not_counted() {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    let words = "process-vm --pages 64";
    checks.about(words);
    let (pinload, ready) = match Pinload::start(words, 1) {
        Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
        Started::Unavailable(why) => panic!("{why}"),
    };
    let pid = number(&ready["pid"]);
    let report = recording.once(words, |report| report.figure(pid, "acquired") != 0);
    checks.same("pin calls", calls(&report, pid, "process_vm"), Value::Null);
    checks.holds(pinload.end().success(), "pinload's end");
    recording.finish().check(&mut checks);
    checks.conclude();
}

#[test]
fn top_shows_a_registration_in_flight() {
    const NAME: &str = "top_shows_a_registration_in_flight";
    let top = OnTerminal::start("pintrace top --interval 200ms --no-findings");
    let (mut pinload, _) = match Pinload::at_first("slow-registration --pages 400", "registering") {
        Started::Ready(pinload, lines) => (pinload, lines),
        Started::Unavailable(why) => return skipped(NAME, &why),
    };
    top.key(b"P");
    // The view writes only the cells that have changed, so a word that moves may arrive in pieces.
    wait_for("the call on the screen", || {
        let output = top.output();
        let words = [
            "Pin calls in flight",
            "WANTED",
            "io_uring",
            "pinload",
            "pinning for",
        ];
        words.iter().all(|word| output.contains(word)).then_some(())
    });
    assert_eq!(pinload.line().unwrap()["event"], "registered");
    top.key(b"q");
    assert_eq!(top.end(), 0);
    top.assert_restored();
    assert!(pinload.end().success());
}
