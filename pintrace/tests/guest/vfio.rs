//! A device's DMA mapping, in guests with a device behind an IOMMU: `cargo xtask test` gives the full flavours one.

use std::cell::Cell;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Began, Findings, HUGE, PAGE, Pinload, Report, kernel_at_least, number, skipped};
use crate::hugetlb::Pool;
use crate::recording::Recording;
use crate::scan::{Scan, check_parts, check_ranges};

/// What is mapped: memory of each kind, in numbers of pages that tell them apart, and the bytes that these keep in place.
const MEMORY: [(&str, u64, u64); 3] = [
    ("small", 256, 256 * PAGE),
    ("thp", 700, 2 * HUGE),
    ("hugetlb", 1000, 2 * HUGE),
];
/// Huge pages for that.
const POOL: u64 = 2;
/// Ways to give it back.
const RELEASES: [&str; 3] = ["explicit", "close", "kill"];
/// Holds as well, and is no device's.
const OTHER: &str = "io-uring --pages 48";
const OTHER_PAGES: u64 = 48;

#[test]
fn a_mapping_is_held_by_the_process_that_mapped_it() {
    const NAME: &str = "a_mapping_is_held_by_the_process_that_mapped_it";
    let pool = match Pool::make(POOL, false) {
        Ok(pool) => pool,
        Err(why) => return skipped(NAME, &why),
    };
    // 5.10 pins page by page until one does not lie beside the last, which it gives back (`vfio_pin_pages_remote`).
    let pins_beyond = !kernel_at_least(5, 11);
    let recording = Recording::start("vfio");
    let mut findings = Findings::default();
    let small = RELEASES.map(|release| (MEMORY[0], release));
    for ((backing, pages, bytes), release) in
        small.into_iter().chain(MEMORY[1..].iter().copied().zip(RELEASES))
    {
        let words = format!("vfio --backing {backing} --pages {pages} --release {release}");
        let (pinload, ready) = match Pinload::begin(&words, 1) {
            Began::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Began::Unavailable(why) => return skipped(NAME, &why),
        };
        findings.about(format!("{words}, held"));
        let pid = number(&ready["pid"]);
        let report = recording.settled();
        report.check(&mut findings);
        for figure in ["pages_held", "longterm_pages_held"] {
            findings.same(figure, report.figure(pid, figure), pages);
        }
        let acquired = report.figure(pid, "acquired");
        let released = report.figure(pid, "released");
        findings.same("acquired and not released", acquired - released, pages);
        if !pins_beyond {
            findings.same("acquired", acquired, pages);
        }
        findings.same("bytes_held", report.figure(pid, "bytes_held"), bytes);
        let subsystems = &report.process(pid)["subsystems"];
        findings.same("subsystems", subsystems, &json!({ "vfio": pages }));
        let scan = Scan::now();
        scan.check(&mut findings);
        findings.same("pages by scan", scan.pages(pid), pages);
        pinload.end();
        findings.about(format!("{words}, released"));
        let report = recording.once(&words, |report| report.figure(pid, "pages_held") == 0);
        report.check(&mut findings);
        findings.same("released", report.figure(pid, "released"), acquired);
    }
    let report = recording.finish();
    findings.about("at the end");
    report.check(&mut findings);
    findings.same("balance.ledger_held", report.balance("ledger_held"), 0);
    drop(pool);
    findings.conclude();
}

#[test]
fn preexisting_mappings_are_of_their_process_until_they_are_given_back() {
    preexisting_mappings(
        "preexisting_mappings_are_of_their_process_until_they_are_given_back",
        false,
    );
}

#[test]
fn preexisting_mappings_of_hugetlb_pages_with_folded_struct_pages_are_of_their_process() {
    preexisting_mappings(
        "preexisting_mappings_of_hugetlb_pages_with_folded_struct_pages_are_of_their_process",
        true,
    );
}

/// One that holds since before pintrace starts.
struct Older {
    words: String,
    pinload: Pinload,
    ready: Value,
    pid: u64,
    backing: &'static str,
    subsystem: &'static str,
    pages: u64,
    bytes: u64,
}

impl Older {
    fn begin(
        words: String,
        subsystem: &'static str,
        (backing, pages, bytes): (&'static str, u64, u64),
    ) -> Result<Self, String> {
        match Pinload::begin(&words, 1) {
            Began::Ready(pinload, mut ready) => Ok(Self {
                pinload,
                pid: number(&ready[0]["pid"]),
                ready: ready.remove(0),
                words,
                backing,
                subsystem,
                pages,
                bytes,
            }),
            Began::Unavailable(why) => Err(format!("{words}: {why}")),
        }
    }

    /// All kinds of memory, each mapped by a process of its own for a device of its own, and one process beside them.
    fn begin_all(folded: bool) -> Result<Vec<Self>, String> {
        let mut releases = RELEASES;
        // Not the same way for the same memory in both tests.
        releases.rotate_left(usize::from(folded));
        let mut all = Vec::new();
        for ((backing, pages, bytes), release) in MEMORY.into_iter().zip(releases) {
            let words = format!("vfio --backing {backing} --pages {pages} --release {release}");
            all.push(Self::begin(words, "vfio", (backing, pages, bytes))?);
        }
        let memory = ("small", OTHER_PAGES, OTHER_PAGES * PAGE);
        all.push(Self::begin(OTHER.to_owned(), "io_uring", memory)?);
        Ok(all)
    }

    fn check(&self, findings: &mut Findings, report: &Report, pages: u64, bytes: u64) {
        findings.same("pages_held", report.figure(self.pid, "pages_held"), pages);
        findings.same("bytes_held", report.figure(self.pid, "bytes_held"), bytes);
        let process = report.process(self.pid);
        findings.same("comm", &process["comm"], &json!("pinload"));
        findings.same(
            "subsystems",
            &process["subsystems"],
            &json!({ self.subsystem: pages }),
        );
        findings.same("acquired, which nobody saw", &process["acquired"], &Value::Null);
    }

    fn check_scan(&self, findings: &mut Findings, scan: &Scan) {
        findings.same("pages by scan", scan.pages(self.pid), self.pages);
        let process = scan.process(self.pid);
        let by = process["descriptors"].as_array().unwrap();
        findings.holds(!by.is_empty(), "descriptors");
        findings.holds(
            by.iter().all(|by| by["kind"] == self.subsystem),
            "its descriptors",
        );
        check_parts(findings, process, self.backing);
        check_ranges(findings, process, &self.ready, self.pages);
    }
}

fn preexisting_mappings(name: &str, folded: bool) {
    let pool = match Pool::make(POOL, folded) {
        Ok(pool) => pool,
        Err(why) => return skipped(name, &why),
    };
    let mut older = match Older::begin_all(folded) {
        Ok(older) => older,
        Err(why) => return skipped(name, &why),
    };
    let mut findings = Findings::default();
    let scan = Scan::now();
    findings.about("by scan");
    scan.check(&mut findings);
    let words = ["top", "--once", "--json", "--interval", "200ms", "--mode", "scan"];
    let top = Report::from_output(Command::new("pintrace").args(words));
    findings.same("balance.unaccounted", top.balance("unaccounted"), 0);
    for holder in &older {
        findings.about(format!("{}, by scan", holder.words));
        holder.check_scan(&mut findings, &scan);
        findings.about(format!("{}, by top of memory", holder.words));
        holder.check(&mut findings, &top, holder.pages, holder.bytes);
    }
    let recording = Recording::start(if folded { "vfio-folded" } else { "vfio-older" });
    let mut report = recording.settled();
    let worst = Cell::new(0);
    while !older.is_empty() {
        for holder in &older {
            findings.about(format!("{}, held", holder.words));
            holder.check(&mut findings, &report, holder.pages, holder.bytes);
        }
        check_whole(
            &mut findings,
            &report,
            older.iter().map(|holder| holder.pages).sum(),
        );
        let ending = older.remove(0);
        let Older {
            words, pinload, pid, ..
        } = ending;
        pinload.end();
        report = recording.once(&words, |report| {
            worst.set(worst.get().max(report.balance("unaccounted").unsigned_abs()));
            report.figure(pid, "pages_held") == 0
        });
        findings.about(format!("{words}, given back"));
        findings.same("bytes_held", report.figure(pid, "bytes_held"), 0);
    }
    findings.about("all given back");
    check_whole(&mut findings, &report, 0);
    let report = recording.finish();
    findings.about("at the end");
    check_whole(&mut findings, &report, 0);
    findings.same("the most that was ever unaccounted", worst.get(), 0);
    findings.same("reconciled", report.balance("reconciled"), 0);
    drop(pool);
    findings.conclude();
}

/// So many pages are held, all of them older, and known whose.
fn check_whole(findings: &mut Findings, report: &Report, pages: u64) {
    report.check(findings);
    let pages = i64::try_from(pages).unwrap();
    for key in ["vmstat_held", "preexisting_held", "preexisting_attributed"] {
        findings.same(key, report.balance(key), pages);
    }
}
