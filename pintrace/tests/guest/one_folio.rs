//! One huge page with 1 to 1,000 owners, and back to none: buffers, rings and threads, beside direct I/O (`pinload holder
//! one-folio`). At each step the figures of each owner are those of pinload. The test prints the cost of a pin and its
//! release for each number of owners.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::harness::{
    Checks, Pinload, Report, Started, hexadecimal, is_preemptible, kernel_at_least, number, skipped,
};
use crate::recording::Recording;

/// Owners of a folio before 5.17.
const FEW_OWNERS: u64 = 13;
/// Pins that may go to another owner, counted as `owner_cells_full`. An emulated CPU may be paused while it makes the
/// second owner's entry of the folio, and the other CPU gives up after its attempts.
const MOST_GIVEN_UP: u64 = 2;

#[test]
fn each_of_a_thousand_owners_of_one_folio_is_shown_with_its_pins() {
    play(
        "each_of_a_thousand_owners_of_one_folio_is_shown_with_its_pins",
        "--backing thp",
    );
}

#[test]
fn owners_of_one_hugetlb_page_are_shown_with_their_pins() {
    play(
        "owners_of_one_hugetlb_page_are_shown_with_their_pins",
        "--backing hugetlb --most 50 --seed 2",
    );
}

fn play(name: &str, words: &str) {
    if is_preemptible() {
        // The kernel skips programs for calls of other threads (`recursion_missed`), so not every owner is exact.
        return skipped(name, &"this kernel preempts threads inside programs");
    }
    let _stats = RunTimes::enable();
    let recording = Recording::of_ledger("one-folio");
    let before = recording.settled();
    let words = format!("holder one-folio {words}");
    let (mut pinload, mut line) = match Pinload::at_checkpoint(&words) {
        Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
        Started::Unavailable(why) => return skipped(name, &why),
    };
    let mut steps = Steps::new(&before);
    loop {
        let held = before.balance("vmstat_held") + i64::try_from(number(&line["owners"])).unwrap();
        let report = recording.once("the pins of a step", |report| {
            report.balance("vmstat_held") == held && report.balance("ledger_held") == held
        });
        steps.check(&report, &line);
        let (begin, calls) = (RunTimes::of(recording.pid()), number(&line["owners"]));
        pinload.pass_gate();
        let measured = pinload.line().unwrap();
        assert_eq!(measured["event"], "measured", "{measured}");
        print_cost(calls, &measured, RunTimes::of(recording.pid()) - begin);
        pinload.pass_gate();
        let Some(next) = pinload.line() else {
            break;
        };
        assert_eq!(next["event"], "checkpoint", "{next}");
        line = next;
    }
    assert_eq!(number(&line["owners"]), 0);
    assert!(pinload.end().success(), "pinload's end");
    let report = recording.finish();
    steps.checks.about("the end");
    steps.sums(&report);
    steps.checks.conclude();
}

/// The steps so far.
struct Steps {
    checks: Checks,
    /// Pages released so far whose owner a rule chose.
    ambiguous_before: i64,
    most: u64,
}

impl Steps {
    fn new(before: &Report) -> Self {
        Self {
            checks: Checks::default(),
            ambiguous_before: before.balance("ambiguous_owner"),
            most: 0,
        }
    }

    fn check(&mut self, report: &Report, line: &Value) {
        let (owners, pid) = (number(&line["owners"]), number(&line["pid"]));
        let grows = owners > self.most;
        self.most = self.most.max(owners);
        let step = if grows { "grown" } else { "shrunk" };
        self.checks.about(format!("{owners} owners, {step}"));
        self.sums(report);
        self.checks
            .same("pages of pinload", report.figure(pid, "pages_held"), owners);
        for reader in line["readers"].as_array().unwrap() {
            let Some(pages) = reader["pages"].as_u64() else {
                continue;
            };
            let thread = thread(report, pid, number(&reader["tid"]));
            let figures = (thread["acquired"].as_u64(), thread["released"].as_u64());
            let given_up = given_up(report);
            let expected = (pages > 0).then_some(pages);
            let near = |figure: Option<u64>| match (figure, expected) {
                (Some(figure), Some(expected)) => figure.abs_diff(expected) <= given_up,
                (figure, expected) => figure == expected,
            };
            self.checks.holds(
                near(figures.0) && near(figures.1),
                &format!("pages that a reader pinned and released: {figures:?}, not {expected:?}"),
            );
        }
        if self.is_beyond_room() {
            // The pins of an owner without a cell count for the owner of the first cell.
            return;
        }
        let held = line["held"].as_array().unwrap();
        self.owners_by_kind(report, pid, held);
        let exact = self.ambiguous_releases(report, line, grows);
        self.extents(report.process(pid), held, exact);
    }

    /// Checks the pages of each thread and of each subsystem. A release of io_uring takes no pin of a thread that reads, and
    /// the other way round.
    fn owners_by_kind(&mut self, report: &Report, pid: u64, held: &[Value]) {
        let mut threads = BTreeMap::new();
        for owner in held {
            *threads.entry(owner["tid"].as_u64().unwrap_or(pid)).or_insert(0) += 1;
        }
        let process = report.process(pid);
        let found = process["threads"].as_array().unwrap().iter();
        let found: BTreeMap<_, _> = found
            .map(|thread| (number(&thread["tid"]), number(&thread["pages_held"])))
            .filter(|(_, pages)| *pages > 0)
            .collect();
        self.checks.same("pages by thread", found, threads);
        let of_threads = held.iter().filter(|owner| owner["kind"] == "thread").count();
        let subsystems = [("io_uring", held.len() - of_threads), ("process_vm", of_threads)];
        for (subsystem, pages) in subsystems {
            let found = &process["subsystems"].get(subsystem).unwrap_or(&json!(0)).clone();
            self.checks
                .same(&format!("pages of {subsystem}"), found, &json!(pages));
        }
    }

    /// Checks the number of releases of which a rule chose the owner. Returns true if the page of each release was known,
    /// so that only buffers of the same page are mistaken for one another.
    fn ambiguous_releases(&mut self, report: &Report, line: &Value, grows: bool) -> bool {
        let now = report.balance("ambiguous_owner");
        let since = u64::try_from(now - self.ambiguous_before).unwrap();
        if grows {
            // Several threads read at once, and a completion in an interrupt does not show whose read has ended.
            let readers = line["readers"].as_array().unwrap().iter();
            let read: u64 = readers.filter_map(|reader| reader["pages"].as_u64()).sum();
            self.checks.holds(
                since <= read,
                "only direct reads were ambiguous while owners were added",
            );
            self.ambiguous_before = now;
            return true;
        }
        let [by_page, by_folio] = ["by_page", "by_folio"].map(|key| number(&line["ambiguous"][key]));
        println!("ambiguous releases: {since}, by page {by_page}, by folio {by_folio}");
        if since != by_page {
            self.checks.same("ambiguous releases", since, by_folio);
        }
        since == by_page
    }

    /// Checks the pages of each extent, or only their sum.
    fn extents(&mut self, process: &Value, held: &[Value], exact: bool) {
        let buffers = held.iter().filter(|owner| owner["kind"] != "thread");
        let mut expected: Vec<_> = buffers.map(|owner| number(&owner["address"])).collect();
        let mut found = Vec::new();
        for extent in process["extents_held"].as_array().unwrap() {
            let address = hexadecimal(&extent["address"]);
            found.extend((0..number(&extent["pages_held"])).map(|_| address));
        }
        expected.sort_unstable();
        found.sort_unstable();
        if exact {
            self.checks.same("addresses of the pins", found, expected);
        } else {
            self.checks
                .same("pins of all buffers", found.len(), expected.len());
        }
    }

    fn is_beyond_room(&self) -> bool {
        !kernel_at_least(5, 17) && self.most > FEW_OWNERS
    }

    /// Checks that all sums agree and that nothing was lost, except for counted pins that went to another owner.
    fn sums(&mut self, report: &Report) {
        let lost = given_up(report);
        if self.is_beyond_room() {
            report.check_held(&mut self.checks);
            self.checks
                .holds(lost >= self.most - FEW_OWNERS, "owners without room are counted");
        } else if lost == 0 {
            report.check(&mut self.checks);
        } else {
            report.check_held(&mut self.checks);
            self.checks
                .holds(lost <= MOST_GIVEN_UP, &format!("{lost} pins have another owner"));
        }
    }
}

/// Returns the number of pins that the ledger gave to another owner.
fn given_up(report: &Report) -> u64 {
    number(&report.document["loss"]["owner_cells_full"])
}

fn thread(report: &Report, pid: u64, tid: u64) -> Value {
    let threads = report.process(pid)["threads"].as_array().cloned();
    let mut threads = threads.unwrap_or_default().into_iter();
    threads.find(|thread| thread["tid"] == tid).unwrap_or(Value::Null)
}

/// Prints the cost of a pin and its release.
fn print_cost(owners: u64, measured: &Value, bpf_ns: u64) {
    let calls = number(&measured["calls"]);
    println!(
        "{owners} owners: {} ns of BPF programs for a pin and its release, {} ns in all",
        bpf_ns / calls,
        number(&measured["elapsed_ns"]) / calls
    );
}

/// The kernel's statistics of the time that BPF programs run.
struct RunTimes;

impl RunTimes {
    const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

    fn enable() -> Self {
        fs::write(Self::SWITCH, "1").unwrap();
        Self
    }

    /// Returns the time of all BPF programs of which a process has a descriptor, in ns.
    fn of(pid: u64) -> u64 {
        let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap().flatten();
        let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
        let times = texts.filter_map(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("run_time_ns:"))?;
            line.trim().parse::<u64>().ok()
        });
        times.sum()
    }
}

impl Drop for RunTimes {
    fn drop(&mut self) {
        let _ = fs::write(Self::SWITCH, "0");
    }
}
