//! DMA mappings of devices, in guests with devices behind an IOMMU. `cargo xtask test` gives the full flavours such
//! devices.

use std::cell::Cell;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Checks, HUGE, PAGE, Pinload, Report, Started, kernel_at_least, number, skipped};
use crate::hugetlb::Pool;
use crate::pin_calls;
use crate::recording::Recording;
use crate::scan::{Scan, check_parts, check_ranges, holders};

/// Memory to map, of each kind: different numbers of pages, and the bytes that their pins keep in place.
const MEMORY: [(&str, u64, u64); 3] = [
    ("small", 256, 256 * PAGE),
    ("thp", 700, 2 * HUGE),
    ("hugetlb", 1000, 2 * HUGE),
];
/// Huge pages that the mappings need.
const POOL: u64 = 2;
/// Ways to release a mapping.
const RELEASES: [&str; 3] = ["explicit", "close", "kill"];
/// A holder without a device.
const OTHER: &str = "io-uring --pages 48";
const OTHER_PAGES: u64 = 48;

#[test]
fn a_mapping_is_held_by_the_process_that_mapped_it() {
    const NAME: &str = "a_mapping_is_held_by_the_process_that_mapped_it";
    let pool = match Pool::make(POOL, false) {
        Ok(pool) => pool,
        Err(why) => return skipped(NAME, &why),
    };
    // 5.10 pins page by page until a page is not contiguous with the last, and unpins that page
    // (`vfio_pin_pages_remote`).
    let pins_beyond = !kernel_at_least(5, 11);
    let recording = Recording::start("vfio");
    let mut checks = Checks::default();
    let small = RELEASES.map(|release| (MEMORY[0], release));
    for ((backing, pages, bytes), release) in
        small.into_iter().chain(MEMORY[1..].iter().copied().zip(RELEASES))
    {
        let words = format!("vfio --backing {backing} --pages {pages} --release {release}");
        let (pinload, ready) = match Pinload::start(&words, 1) {
            Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Started::Unavailable(why) => return skipped(NAME, &why),
        };
        checks.about(format!("{words}, held"));
        let pid = number(&ready["pid"]);
        let report = recording.settled();
        report.check(&mut checks);
        for figure in ["pages_held", "longterm_pages_held"] {
            checks.same(figure, report.figure(pid, figure), pages);
        }
        let acquired = report.figure(pid, "acquired");
        let released = report.figure(pid, "released");
        checks.same("acquired less released", acquired - released, pages);
        if !pins_beyond {
            checks.same("acquired", acquired, pages);
        }
        checks.same("bytes_held", report.figure(pid, "bytes_held"), bytes);
        let subsystems = &report.process(pid)["subsystems"];
        checks.same("subsystems", subsystems, &json!({ "vfio": pages }));
        let row = pin_calls::calls(&report, pid, "vfio");
        let most = number(&ready["time_ns"]) - number(&ready["began_ns"]);
        pin_calls::check_times(&mut checks, &row, most);
        checks.same("registrations", number(&row["registrations"]), 1);
        checks.same("pages pinned by calls", number(&row["pinned_pages"]), acquired);
        let scan = Scan::now();
        scan.check(&mut checks);
        checks.same("pages by scan", scan.pages(pid), pages);
        pinload.end();
        checks.about(format!("{words}, released"));
        let report = recording.once(&words, |report| report.figure(pid, "pages_held") == 0);
        report.check(&mut checks);
        checks.same("released", report.figure(pid, "released"), acquired);
    }
    let report = recording.finish();
    checks.about("at the end");
    report.check(&mut checks);
    checks.same("balance.ledger_held", report.balance("ledger_held"), 0);
    drop(pool);
    checks.conclude();
}

#[test]
fn preexisting_mappings_are_attributed_to_their_process_until_their_release() {
    preexisting_mappings(
        "preexisting_mappings_are_attributed_to_their_process_until_their_release",
        false,
    );
}

#[test]
fn preexisting_mappings_of_folded_hugetlb_pages_are_attributed_to_their_process() {
    preexisting_mappings(
        "preexisting_mappings_of_folded_hugetlb_pages_are_attributed_to_their_process",
        true,
    );
}

/// A holder that pinned before pintrace starts.
struct PreexistingHolder {
    words: String,
    pinload: Pinload,
    ready: Value,
    pid: u64,
    backing: &'static str,
    subsystem: &'static str,
    pages: u64,
    bytes: u64,
}

impl PreexistingHolder {
    fn begin(
        words: String,
        subsystem: &'static str,
        (backing, pages, bytes): (&'static str, u64, u64),
    ) -> Result<Self, String> {
        match Pinload::start(&words, 1) {
            Started::Ready(pinload, mut ready) => Ok(Self {
                pinload,
                pid: number(&ready[0]["pid"]),
                ready: ready.remove(0),
                words,
                backing,
                subsystem,
                pages,
                bytes,
            }),
            Started::Unavailable(why) => Err(format!("{words}: {why}")),
        }
    }

    /// Starts one process with one device for each kind of memory, and one process without a device.
    fn begin_all(folded: bool) -> Result<Vec<Self>, String> {
        let mut releases = RELEASES;
        // The two tests release each kind of memory in different ways.
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

    fn check(&self, checks: &mut Checks, report: &Report, pages: u64, bytes: u64) {
        checks.same("pages_held", report.figure(self.pid, "pages_held"), pages);
        checks.same("bytes_held", report.figure(self.pid, "bytes_held"), bytes);
        let process = report.process(self.pid);
        checks.same("comm", &process["comm"], &json!("pinload"));
        checks.same(
            "subsystems",
            &process["subsystems"],
            &json!({ self.subsystem: pages }),
        );
        checks.same("acquired, which is unknown", &process["acquired"], &Value::Null);
    }

    fn check_scan(&self, checks: &mut Checks, scan: &Scan) {
        checks.same("pages by scan", scan.pages(self.pid), self.pages);
        let process = scan.process(self.pid);
        // The tables of a VFIO container are in a module, whose types pintrace does not read.
        let evidence = if self.subsystem == "io_uring" {
            "kernel_table"
        } else {
            "page_tables"
        };
        checks.same("holders", &holders(process), &vec![(self.subsystem, evidence)]);
        check_parts(checks, process, self.backing);
        check_ranges(checks, process, &self.ready, self.pages);
    }
}

fn preexisting_mappings(name: &str, folded: bool) {
    let pool = match Pool::make(POOL, folded) {
        Ok(pool) => pool,
        Err(why) => return skipped(name, &why),
    };
    let mut preexisting = match PreexistingHolder::begin_all(folded) {
        Ok(preexisting) => preexisting,
        Err(why) => return skipped(name, &why),
    };
    let mut checks = Checks::default();
    let scan = Scan::now();
    checks.about("by scan");
    scan.check(&mut checks);
    let words = ["top", "--once", "--json", "--interval", "200ms", "--mode", "scan"];
    let top = Report::from_output(Command::new("pintrace").args(words));
    checks.same("balance.unaccounted", top.balance("unaccounted"), 0);
    for holder in &preexisting {
        checks.about(format!("{}, by scan", holder.words));
        holder.check_scan(&mut checks, &scan);
        checks.about(format!("{}, by top in mode scan", holder.words));
        holder.check(&mut checks, &top, holder.pages, holder.bytes);
    }
    let recording = Recording::start(if folded { "vfio-folded" } else { "vfio-preexisting" });
    let mut report = recording.settled();
    let worst = Cell::new(0);
    while !preexisting.is_empty() {
        for holder in &preexisting {
            checks.about(format!("{}, held", holder.words));
            holder.check(&mut checks, &report, holder.pages, holder.bytes);
        }
        check_whole(
            &mut checks,
            &report,
            preexisting.iter().map(|holder| holder.pages).sum(),
        );
        let ending = preexisting.remove(0);
        let PreexistingHolder {
            words, pinload, pid, ..
        } = ending;
        pinload.end();
        report = recording.once(&words, |report| {
            worst.set(worst.get().max(report.balance("unaccounted").unsigned_abs()));
            report.figure(pid, "pages_held") == 0
        });
        checks.about(format!("{words}, released"));
        checks.same("bytes_held", report.figure(pid, "bytes_held"), 0);
    }
    checks.about("all released");
    check_whole(&mut checks, &report, 0);
    let report = recording.finish();
    checks.about("at the end");
    check_whole(&mut checks, &report, 0);
    checks.same("the maximum of unaccounted", worst.get(), 0);
    checks.same("reconciled", report.balance("reconciled"), 0);
    drop(pool);
    checks.conclude();
}

/// Checks that `pages` pages are held, all by attributed preexisting pins.
fn check_whole(checks: &mut Checks, report: &Report, pages: u64) {
    report.check(checks);
    let pages = i64::try_from(pages).unwrap();
    for key in ["vmstat_held", "preexisting_held", "preexisting_attributed"] {
        checks.same(key, report.balance(key), pages);
    }
}
