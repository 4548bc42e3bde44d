//! Scans, which find preexisting pins in memory. The same tests run in guests and, if permitted, on this machine
//! (`cargo xtask test`).

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::counts_fio::{THP, fio, lay_out};
use crate::harness::{
    Checks, PAGE, Pinload, Report, Started, expected, hexadecimal, kernel_at_least, left_out, number,
    skipped, wait_for,
};
use crate::hugetlb::Folding;
use crate::not_in_vmstat::RELEASED_ONLY;

/// The JSON output of `pintrace scan`.
pub(crate) struct Scan {
    pub(crate) document: Value,
}

impl Scan {
    /// Scans once.
    pub(crate) fn now() -> Self {
        let output = Command::new("pintrace")
            .args(["scan", "--json", "--pages"])
            .output()
            .unwrap();
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Self { document }
    }

    /// Scans until `claim` is true.
    pub(crate) fn once(what: &str, claim: impl Fn(&Self) -> bool) -> Self {
        wait_for(what, || Some(Self::now()).filter(&claim))
    }

    /// Returns a process that holds pins; `Null` if it holds none.
    pub(crate) fn process(&self, pid: u64) -> &Value {
        let mut processes = self.document["processes"].as_array().unwrap().iter();
        processes
            .find(|process| process["pid"] == pid)
            .unwrap_or(&Value::Null)
    }

    /// Returns the pages that a process holds.
    pub(crate) fn pages(&self, pid: u64) -> u64 {
        self.process(pid)["pages"].as_u64().unwrap_or(0)
    }

    /// Returns the pins that the scan found.
    pub(crate) fn pinned(&self) -> u64 {
        number(&self.document["pinned"]["pages"])
    }

    /// Checks the sums that must agree at each moment without a pin call in progress.
    pub(crate) fn check(&self, checks: &mut Checks) {
        checks.same(
            "balance.unaccounted",
            self.document["balance"]["unaccounted"].as_i64(),
            Some(expected_unaccounted()),
        );
        let processes = self.document["processes"].as_array().unwrap().iter();
        let held: u64 = processes.map(|process| number(&process["pages"])).sum();
        let unknown = number(&self.document["unknown_pins"]["pages"]);
        checks.same(
            "pages of processes and of unknown holders",
            held + unknown,
            self.pinned(),
        );
        checks.same("all_processes", &self.document["all_processes"], &Value::Null);
        let audit = &self.document["exclusivity"];
        checks.same(
            "an audit of exclusive pages",
            audit.is_object(),
            kernel_at_least(5, 19),
        );
        if audit.is_object() {
            checks.same(
                "folios that are not exclusive",
                number(&audit["not_exclusive"]),
                0,
            );
        }
        for (what, count) in self.document["unreadable"].as_object().unwrap() {
            // Other processes may end during the scan.
            if what != "ended" {
                checks.same(&format!("unreadable.{what}"), number(count), 0);
            }
        }
    }
}

/// Returns `unaccounted` of a scan while no pin is in flight: 0, less the pins of legacy direct I/O, whose release alone
/// vmstat counts.
fn expected_unaccounted() -> i64 {
    -RELEASED_ONLY.load(Ordering::Relaxed)
}

/// Returns true if this system allows scans, as guests do; else prints that the test was skipped.
pub(crate) fn is_possible(name: &str) -> bool {
    static REFUSAL: OnceLock<Option<String>> = OnceLock::new();
    let refusal = REFUSAL.get_or_init(|| {
        let output = Command::new("pintrace").arg("scan").output().unwrap();
        let refused = output.status.code() == Some(3);
        refused.then(|| String::from_utf8_lossy(&output.stderr).into_owned())
    });
    if let Some(why) = refusal {
        skipped(name, &why.lines().next().unwrap_or_default());
    }
    refusal.is_none()
}

#[test]
fn pins_on_small_pages_are_found_with_their_process() {
    every_kind("pins_on_small_pages_are_found_with_their_process", "small", 64);
}

#[test]
fn pins_on_transparent_huge_pages_are_found_with_their_process() {
    every_kind(
        "pins_on_transparent_huge_pages_are_found_with_their_process",
        "thp",
        64,
    );
}

#[test]
fn pins_on_hugetlb_pages_are_found_with_their_process() {
    let _whole = Folding::set(false).unwrap();
    every_kind(
        "pins_on_hugetlb_pages_are_found_with_their_process",
        "hugetlb",
        64,
    );
}

/// In a folded vmemmap, each page of struct pages begins with an entry that looks like a head page.
#[test]
fn pins_on_hugetlb_pages_with_folded_struct_pages_are_found_once() {
    const NAME: &str = "pins_on_hugetlb_pages_with_folded_struct_pages_are_found_once";
    match Folding::set(true) {
        Ok(_folding) => every_kind(NAME, "hugetlb", 512),
        Err(why) => skipped(NAME, &why),
    }
}

fn every_kind(name: &str, backing: &str, pages: u64) {
    if !is_possible(name) {
        return;
    }
    let mut checks = Checks::default();
    let mut found = 0;
    for (kind, subsystem) in [
        ("io-uring", "io_uring"),
        ("af-xdp", "af_xdp"),
        ("udmabuf", "udmabuf"),
    ] {
        let words = format!("{kind} --backing {backing} --pages {pages} --reserve");
        let (pinload, ready) = match Pinload::start(&words, 1) {
            Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Started::Unavailable(why) => {
                left_out(&words, &why);
                continue;
            }
        };
        found += 1;
        checks.about(format!("{words}, held"));
        let pid = number(&ready["pid"]);
        let scan = Scan::now();
        scan.check(&mut checks);
        checks.same("pages", scan.pages(pid), expected(&ready, "held").unwrap());
        let process = scan.process(pid);
        checks.same("comm", process["comm"].as_str(), Some("pinload"));
        checks.same("holders", &holders(process), &vec![(subsystem, "kernel_table")]);
        let anonymous = process["parts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|part| part["kind"] == "anon");
        let anonymous: u64 = anonymous.map(|part| number(&part["folios"])).sum();
        let audited = scan.document["exclusivity"]["checked"].as_u64();
        checks.holds(
            audited.is_none_or(|checked| checked >= anonymous),
            "anonymous folios are checked",
        );
        check_parts(&mut checks, process, backing);
        check_ranges(&mut checks, process, &ready, pages);
        checks.holds(pinload.end().success(), "pinload's end");
        let scan = Scan::once("the release", |scan| scan.pages(pid) == 0);
        checks.about(format!("{words}, released"));
        scan.check(&mut checks);
    }
    if found == 0 {
        skipped(name, &"this system offers no kind of pin on this memory");
    }
    checks.conclude();
}

/// Returns subsystem and evidence of each holder of a process.
pub(crate) fn holders(process: &Value) -> Vec<(&str, &str)> {
    let holders = process["holders"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    holders
        .iter()
        .map(|holder| {
            (
                holder["subsystem"].as_str().unwrap_or_default(),
                holder["evidence"].as_str().unwrap_or_default(),
            )
        })
        .collect()
}

/// Checks the order and kind of the pinned folios.
pub(crate) fn check_parts(checks: &mut Checks, process: &Value, backing: &str) {
    for part in process["parts"].as_array().unwrap() {
        let order = if backing == "small" { 0 } else { 9 };
        checks.same("order", number(&part["order"]), order);
        checks.same("hugetlb", part["kind"] == "hugetlb", backing == "hugetlb");
    }
}

/// Checks that one range covers all pages that pinload pinned, if pinload reports an address.
pub(crate) fn check_ranges(checks: &mut Checks, process: &Value, ready: &Value, pages: u64) {
    let address = hexadecimal(&ready["address"]);
    if address == 0 {
        return;
    }
    let ranges = process["ranges"].as_array().unwrap();
    let end = address + pages * PAGE;
    let covers = |range: &&Value| number(&range["address"]) <= address && number(&range["end"]) >= end;
    checks.same(
        "ranges that cover what was pinned",
        ranges.iter().filter(covers).count(),
        1,
    );
}

#[test]
fn a_ring_belongs_to_the_process_that_has_it_open_after_the_registering_process_was_killed() {
    const NAME: &str =
        "a_ring_belongs_to_the_process_that_has_it_open_after_the_registering_process_was_killed";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    let (mut pinload, ready) = Pinload::hold("io-uring --shared-ring --release kill", 1);
    let (child, owner) = (number(&ready[0]["pid"]), number(&ready[0]["ring_owner_pid"]));
    checks.about("both live");
    let scan = Scan::now();
    scan.check(&mut checks);
    checks.same("pages of the registering process", scan.pages(child), 64);
    checks.same("pages of the creator of the ring", scan.pages(owner), 0);
    pinload.pass_gate();
    while pinload.line().is_some_and(|line| line["event"] != "outlived") {}
    checks.about("the registering process is dead");
    let scan = Scan::now();
    scan.check(&mut checks);
    checks.same(
        "pages of the process that has the ring open",
        scan.pages(owner),
        64,
    );
    let holder = &scan.process(owner)["holders"][0];
    checks.same("evidence", &holder["evidence"], &json!("kernel_table"));
    let openers = holder["opened_by"].as_array().unwrap().iter();
    let pids: BTreeSet<u64> = openers.map(|opener| number(&opener["pid"])).collect();
    checks.same("processes that have the ring open", pids, BTreeSet::from([owner]));
    checks.holds(pinload.end().success(), "the owner's end");
    checks.about("the ring is closed");
    Scan::once("the release", |scan| scan.pages(owner) == 0).check(&mut checks);
    checks.conclude();
}

#[test]
fn pins_of_two_rings_on_shared_memory_are_told_apart() {
    const NAME: &str = "pins_of_two_rings_on_shared_memory_are_told_apart";
    if !is_possible(NAME) {
        return;
    }
    let mut checks = Checks::default();
    let (pinload, ready) = Pinload::hold("io-uring --shared-memory", 2);
    let scan = Scan::now();
    scan.check(&mut checks);
    for line in &ready {
        let process = scan.process(number(&line["pid"]));
        checks.same("pages", number(&process["pages"]), 64);
        checks.same("holders", &holders(process), &vec![("io_uring", "kernel_table")]);
    }
    checks.holds(pinload.end().success(), "pinload's end");
    checks.conclude();
}

/// A process that gets SIGTERM when dropped; `timeout` forwards the signal.
pub(crate) struct Job(pub(crate) Child);

impl Drop for Job {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// Disables transparent huge pages until dropped.
struct SmallPages(Option<String>);

impl SmallPages {
    fn only() -> Self {
        let policy = fs::read_to_string(THP).ok();
        let policy = policy.and_then(|policy| Some(policy.split(['[', ']']).nth(1)?.to_owned()));
        if policy.is_some() {
            fs::write(THP, "never").unwrap();
        }
        Self(policy)
    }
}

impl Drop for SmallPages {
    fn drop(&mut self) {
        if let Some(policy) = &self.0 {
            let _ = fs::write(THP, policy);
        }
    }
}

#[test]
fn fixed_buffers_of_fio_are_held_and_direct_io_is_not() {
    const NAME: &str = "fixed_buffers_of_fio_are_held_and_direct_io_is_not";
    if !is_possible(NAME) {
        return;
    }
    lay_out();
    let mut checks = Checks::default();
    checks.about("fixed buffers");
    // Small pages, because a ring may keep only one pin of each large folio (`io_coalesce_buffer`, io_uring/rsrc.c).
    let options = "--ioengine=io_uring --fixedbufs=1 --direct=1 --rw=randread --bs=64k \
                   --iodepth=64 --time_based --runtime=60";
    let small = SmallPages::only();
    let job = Job(fio(options).stderr(Stdio::null()).spawn().unwrap());
    let pages = |scan: &Scan| {
        let processes = scan.document["processes"].as_array().unwrap().clone();
        let fio = processes.into_iter().find(|process| process["comm"] == "fio");
        fio.map(|fio| (number(&fio["pid"]), number(&fio["pages"])))
    };
    let scan = Scan::once("fio to hold its buffers", |scan| {
        pages(scan).is_some_and(|(_, pages)| pages == 1024)
    });
    scan.check(&mut checks);
    let (pid, _) = pages(&scan).unwrap();
    checks.about("top in mode scan");
    let top = Report::from_output(Command::new("pintrace").args([
        "top",
        "--once",
        "--json",
        "--mode",
        "scan",
        "--interval",
        "200ms",
    ]));
    checks.same("mode", &top.document["mode"], &json!("scan"));
    checks.same("unaccounted", top.balance("unaccounted"), expected_unaccounted());
    checks.same("pages_held", top.figure(pid, "pages_held"), 1024);
    let process = top.process(pid);
    checks.same("subsystems", &process["subsystems"], &json!({"io_uring": 1024}));
    checks.same("acquired, which is unknown", &process["acquired"], &Value::Null);
    drop((job, small));
    Scan::once("the release", |scan| scan.pages(pid) == 0).check(&mut checks);

    checks.about("direct I/O that has ended");
    let status = fio("--ioengine=io_uring --direct=1 --rw=read --bs=64k --iodepth=8")
        .status()
        .unwrap();
    checks.holds(status.success(), "fio's end");
    let scan = Scan::now();
    scan.check(&mut checks);
    checks.same("pages of fio", pages(&scan), None);
    checks.conclude();
}
