//! The scan: pins that are older than pintrace, found by looking at memory. The same tests run in guests and,
//! where it may, on this machine (`cargo xtask test`).

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::counts_fio::{THP, fio, lay_out};
use crate::harness::{Began, Findings, PAGE, Pinload, Report, eventually, expected, number, skipped};
use crate::hugetlb::Folding;
use crate::not_in_vmstat::RELEASED_ONLY;

/// What `pintrace scan` says.
pub(crate) struct Scan {
    pub(crate) document: Value,
}

impl Scan {
    /// One look.
    pub(crate) fn now() -> Self {
        let output = Command::new("pintrace")
            .args(["scan", "--json", "--pages"])
            .output()
            .unwrap();
        let document = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        Self { document }
    }

    /// Looks until `claim` holds.
    pub(crate) fn once(what: &str, claim: impl Fn(&Self) -> bool) -> Self {
        eventually(&what, || Some(Self::now()).filter(&claim))
    }

    /// A process that holds; `Null` if it does not.
    pub(crate) fn process(&self, pid: u64) -> &Value {
        let mut processes = self.document["processes"].as_array().unwrap().iter();
        processes
            .find(|process| process["pid"] == pid)
            .unwrap_or(&Value::Null)
    }

    /// Pages that a process holds.
    pub(crate) fn pages(&self, pid: u64) -> u64 {
        self.process(pid)["pages"].as_u64().unwrap_or(0)
    }

    fn pinned(&self) -> u64 {
        number(&self.document["pinned"]["pages"])
    }

    /// What must hold whenever nobody is in the middle of a pin.
    pub(crate) fn check(&self, findings: &mut Findings) {
        findings.same(
            "balance.unaccounted",
            self.document["balance"]["unaccounted"].as_i64(),
            Some(expected_unaccounted()),
        );
        let processes = self.document["processes"].as_array().unwrap().iter();
        let held: u64 = processes.map(|process| number(&process["pages"])).sum();
        let unmapped_pins = number(&self.document["unmapped_pins"]["pages"]);
        findings.same(
            "pages of processes and of nobody",
            held + unmapped_pins,
            self.pinned(),
        );
        findings.same("all_processes", &self.document["all_processes"], &Value::Null);
        for (what, count) in self.document["unreadable"].as_object().unwrap() {
            // Processes come and go on a machine that does other things as well.
            if what != "ended" {
                findings.same(&format!("unreadable.{what}"), number(count), 0);
            }
        }
    }
}

/// What `unaccounted` of a scan must be while no pin is in flight: 0, less the pins of legacy direct I/O that vmstat counted
/// only when they were released.
fn expected_unaccounted() -> i64 {
    -RELEASED_ONLY.load(Ordering::Relaxed)
}

/// Whether this system lets memory be looked at; a guest always does.
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

/// Each page of folded struct pages begins with what looks like a head.
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
    let mut findings = Findings::default();
    let mut found = 0;
    for (kind, subsystem) in [
        ("io-uring", "io_uring"),
        ("af-xdp", "af_xdp"),
        ("udmabuf", "udmabuf"),
    ] {
        let words = format!("{kind} --backing {backing} --pages {pages} --reserve");
        let (pinload, ready) = match Pinload::begin(&words, 1) {
            Began::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Began::Unavailable(why) => {
                println!("left out: {words}: {why}");
                continue;
            }
        };
        found += 1;
        findings.about(format!("{words}, held"));
        let pid = number(&ready["pid"]);
        let scan = Scan::now();
        scan.check(&mut findings);
        findings.same("pages", scan.pages(pid), expected(&ready, "held").unwrap());
        let process = scan.process(pid);
        findings.same("comm", process["comm"].as_str(), Some("pinload"));
        let by = process["descriptors"].as_array().unwrap().iter();
        findings.holds(by.into_iter().any(|by| by["kind"] == subsystem), "its descriptor");
        check_parts(&mut findings, process, backing);
        check_ranges(&mut findings, process, &ready, pages);
        findings.holds(pinload.end().success(), "pinload's end");
        let scan = Scan::once("the release", |scan| scan.pages(pid) == 0);
        findings.about(format!("{words}, released"));
        scan.check(&mut findings);
    }
    if found == 0 {
        skipped(name, &"this system has no such memory");
    }
    findings.conclude();
}

/// What the pinned memory is.
pub(crate) fn check_parts(findings: &mut Findings, process: &Value, backing: &str) {
    for part in process["parts"].as_array().unwrap() {
        let order = if backing == "small" { 0 } else { 9 };
        findings.same("order", number(&part["order"]), order);
        findings.same("hugetlb", part["kind"] == "hugetlb", backing == "hugetlb");
    }
}

/// Where it is mapped: from the first byte that pinload pinned, except where the descriptor holds another mapping's.
pub(crate) fn check_ranges(findings: &mut Findings, process: &Value, ready: &Value, pages: u64) {
    let text = ready["address"].as_str().unwrap();
    let address = u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    if address == 0 {
        return;
    }
    let ranges = process["ranges"].as_array().unwrap();
    let end = address + pages * PAGE;
    let covers = |range: &&Value| number(&range["address"]) <= address && number(&range["end"]) >= end;
    findings.same(
        "ranges that cover what was pinned",
        ranges.iter().filter(covers).count(),
        1,
    );
}

#[test]
fn a_ring_whose_maker_was_killed_is_of_the_process_that_has_it_open() {
    const NAME: &str = "a_ring_whose_maker_was_killed_is_of_the_process_that_has_it_open";
    if !is_possible(NAME) {
        return;
    }
    let mut findings = Findings::default();
    let (mut pinload, ready) = Pinload::hold("io-uring --shared-ring --release kill", 1);
    let (child, owner) = (number(&ready[0]["pid"]), number(&ready[0]["ring_owner_pid"]));
    findings.about("both live");
    let scan = Scan::now();
    scan.check(&mut findings);
    findings.same("pages of who registered", scan.pages(child), 64);
    findings.same("pages of who made the ring", scan.pages(owner), 0);
    pinload.go_on();
    while pinload.line().is_some_and(|line| line["event"] != "outlived") {}
    findings.about("who registered is dead");
    let scan = Scan::now();
    scan.check(&mut findings);
    findings.same("pages of who has the ring open", scan.pages(owner), 64);
    findings.same(
        "of these by descriptor",
        number(&scan.process(owner)["by_descriptor"]),
        64,
    );
    findings.holds(pinload.end().success(), "the owner's end");
    findings.about("the ring is closed");
    Scan::once("the release", |scan| scan.pages(owner) == 0).check(&mut findings);
    findings.conclude();
}

#[test]
fn a_page_that_several_map_is_named_with_all_and_counted_once() {
    const NAME: &str = "a_page_that_several_map_is_named_with_all_and_counted_once";
    if !is_possible(NAME) {
        return;
    }
    let mut findings = Findings::default();
    let (pinload, ready) = Pinload::hold("io-uring --shared-memory", 2);
    let scan = Scan::now();
    scan.check(&mut findings);
    for line in &ready {
        let process = scan.process(number(&line["pid"]));
        findings.same("pages mapped", number(&process["mapped"]["pages"]), 128);
        findings.same("of these shared", number(&process["shared"]["pages"]), 128);
    }
    findings.holds(pinload.end().success(), "pinload's end");
    findings.conclude();
}

/// A process that is told to end when this is dropped; `timeout` passes that on.
pub(crate) struct Job(pub(crate) Child);

impl Drop for Job {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

/// No transparent huge pages while this lives.
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
    let mut findings = Findings::default();
    findings.about("fixed buffers");
    // On small pages: of a large folio a ring may keep one pin only (`io_coalesce_buffer`, io_uring/rsrc.c).
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
    scan.check(&mut findings);
    let (pid, _) = pages(&scan).unwrap();
    findings.about("top, by what it sees in memory");
    let top = Report::from_output(Command::new("pintrace").args([
        "top",
        "--once",
        "--json",
        "--mode",
        "scan",
        "--interval",
        "200ms",
    ]));
    findings.same("mode", &top.document["mode"], &json!("scan"));
    findings.same("unaccounted", top.balance("unaccounted"), expected_unaccounted());
    findings.same("pages_held", top.figure(pid, "pages_held"), 1024);
    let process = top.process(pid);
    findings.same("subsystems", &process["subsystems"], &json!({"io_uring": 1024}));
    findings.same("acquired, which nobody saw", &process["acquired"], &Value::Null);
    drop((job, small));
    Scan::once("the release", |scan| scan.pages(pid) == 0).check(&mut findings);

    findings.about("direct I/O that has ended");
    let status = fio("--ioengine=io_uring --direct=1 --rw=read --bs=64k --iodepth=8")
        .status()
        .unwrap();
    findings.holds(status.success(), "fio's end");
    let scan = Scan::now();
    scan.check(&mut findings);
    findings.same("pages of fio", pages(&scan), None);
    findings.conclude();
}
