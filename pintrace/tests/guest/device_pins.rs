//! Pins of devices that a process registers through a driver: held, released in each way, preexisting, and refused. The
//! modules of the drivers run these tests.

use std::cell::Cell;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{
    Checks, HUGE, PAGE, Pinload, Report, Started, expected, hexadecimal, kernel_at_least, number, skipped,
};
use crate::hugetlb::Pool;
use crate::pin_calls;
use crate::recording::Recording;
use crate::scan::{Scan, check_parts, check_ranges, holders};

/// Huge pages that the registrations need.
const POOL: u64 = 2;
/// Ways to release a registration.
const RELEASES: [&str; 3] = ["explicit", "close", "kill"];
/// A holder without a device.
const OTHER: &str = "io-uring --pages 48";
const OTHER_PAGES: u64 = 48;
/// Pages that `ib_umem_get` pins a call.
const UMEM_BATCH: u64 = 512;

/// Backing, pages, and the bytes that their pins keep in place.
type Memory = (&'static str, u64, u64);

/// A driver.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeviceKind {
    Vfio,
    Rdma,
}

impl DeviceKind {
    /// The subcommand of pinload, and the subsystem.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Vfio => "vfio",
            Self::Rdma => "rdma",
        }
    }

    /// Memory to register, of each kind: different numbers of pages.
    const fn memory(self) -> [Memory; 3] {
        let small = match self {
            Self::Vfio => 256,
            // Three calls.
            Self::Rdma => 1300,
        };
        [
            ("small", small, small * PAGE),
            ("thp", 700, 2 * HUGE),
            ("hugetlb", 1000, 2 * HUGE),
        ]
    }

    fn words(self, backing: &str, pages: u64, release: &str) -> String {
        let name = self.name();
        format!("{name} --backing {backing} --pages {pages} --release {release}")
    }

    /// Returns true if the kernel also pins pages beyond a contiguous range, and unpins them at once: 5.10 pins page by
    /// page until a page is not contiguous with the last one (`vfio_pin_pages_remote`). Each contiguous range is then an
    /// extent.
    fn pins_beyond(self) -> bool {
        self == Self::Vfio && !kernel_at_least(5, 11)
    }

    /// The name of the call that the kernel refuses.
    const fn refused_call(self) -> &'static str {
        match self {
            Self::Vfio => "ioctl(VFIO_IOMMU_MAP_DMA)",
            Self::Rdma => "ibv_reg_mr (ib_umem_get)",
        }
    }
}

/// Registers each kind of memory, and releases it in each way.
pub(crate) fn held(name: &str, kind: DeviceKind) {
    let pool = match Pool::make(POOL, false) {
        Ok(pool) => pool,
        Err(why) => return skipped(name, &why),
    };
    let recording = Recording::start(kind.name());
    let mut checks = Checks::default();
    if let Err(why) = first(kind, &recording, &mut checks) {
        return skipped(name, &why);
    }
    let memory = kind.memory();
    let small = RELEASES.map(|release| (memory[0], release));
    for ((backing, pages, bytes), release) in
        small.into_iter().chain(memory[1..].iter().copied().zip(RELEASES))
    {
        let words = kind.words(backing, pages, release);
        let (pinload, ready) = match Pinload::start(&words, 1) {
            Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
            Started::Unavailable(why) => return skipped(name, &why),
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
        if !kind.pins_beyond() {
            checks.same("acquired", acquired, pages);
        }
        checks.same("bytes_held", report.figure(pid, "bytes_held"), bytes);
        let subsystems = &report.process(pid)["subsystems"];
        checks.same("subsystems", subsystems, &json!({ kind.name(): pages }));
        let parts = extents(report.process(pid));
        let extents = if kind.pins_beyond() { joined(parts) } else { parts };
        let expected = vec![(hexadecimal(&ready["address"]), pages)];
        checks.same("extents", extents, expected);
        let row = pin_calls::calls(&report, pid, kind.name());
        let most = number(&ready["time_ns"]) - number(&ready["began_ns"]);
        pin_calls::check_times(&mut checks, &row, most);
        checks.same("registrations", number(&row["registrations"]), 1);
        if kind == DeviceKind::Rdma {
            checks.same("calls", number(&row["calls"]), pages.div_ceil(UMEM_BATCH));
            checks.same("pages wanted by calls", number(&row["wanted_pages"]), pages);
        }
        checks.same("pages pinned by calls", number(&row["pinned_pages"]), acquired);
        let scan = Scan::now();
        scan.check(&mut checks);
        checks.same("pages by scan", scan.pages(pid), pages);
        let process = scan.process(pid);
        checks.same(
            "holders by scan",
            &holders(process),
            &vec![(kind.name(), "page_tables")],
        );
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

/// Registers once. The first call of RDMA has no known duration: the hook on the entry of `pin_user_pages_fast` waits for it.
fn first(kind: DeviceKind, recording: &Recording, checks: &mut Checks) -> Result<(), String> {
    let words = kind.words("small", 64, "explicit");
    let (pinload, ready) = match Pinload::start(&words, 1) {
        Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
        Started::Unavailable(why) => return Err(why),
    };
    let pid = number(&ready["pid"]);
    let report = recording.once(&words, |report| {
        pin_calls::calls(report, pid, kind.name()) != Value::Null
    });
    let row = pin_calls::calls(&report, pid, kind.name());
    checks.about(format!("{words}, the first"));
    checks.same(
        "untimed",
        number(&row["untimed"]),
        u64::from(kind == DeviceKind::Rdma),
    );
    checks.holds(pinload.end().success(), "pinload's end");
    recording.settled();
    Ok(())
}

/// Returns address and pages of each open extent, by address.
fn extents(process: &Value) -> Vec<(u64, u64)> {
    let extents = process["extents_held"].as_array().unwrap();
    let mut found: Vec<_> = extents
        .iter()
        .map(|extent| (hexadecimal(&extent["address"]), number(&extent["pages_held"])))
        .collect();
    found.sort_unstable();
    found
}

/// Joins extents of small pages that follow one another without a gap.
fn joined(extents: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (address, pages) in extents {
        match joined.last_mut() {
            Some((first, before)) if *first + *before * PAGE == address => *before += pages,
            _ => joined.push((address, pages)),
        }
    }
    joined
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

    /// Starts one process with one device or context for each kind of memory, and one process without a device.
    fn begin_all(kind: DeviceKind, folded: bool) -> Result<Vec<Self>, String> {
        let mut releases = RELEASES;
        // The two tests release each kind of memory in different ways.
        releases.rotate_left(usize::from(folded));
        let mut all = Vec::new();
        for ((backing, pages, bytes), release) in kind.memory().into_iter().zip(releases) {
            let words = kind.words(backing, pages, release);
            all.push(Self::begin(words, kind.name(), (backing, pages, bytes))?);
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
        // The tables of VFIO and RDMA are in modules, whose types pintrace does not read.
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

/// Registers before pintrace starts, and releases while it runs.
pub(crate) fn preexisting(name: &str, kind: DeviceKind, folded: bool) {
    let pool = match Pool::make(POOL, folded) {
        Ok(pool) => pool,
        Err(why) => return skipped(name, &why),
    };
    let mut preexisting = match PreexistingHolder::begin_all(kind, folded) {
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
    let recording = Recording::start(&format!("{}-preexisting", kind.name()));
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

/// Lets the kernel refuse registrations of user 1000, whose limit of locked memory is 64 KiB.
pub(crate) fn refused(name: &str, kind: DeviceKind) {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    for (case, errno) in [("memlock", "ENOMEM"), ("efault", "EFAULT"), ("quiet", "")] {
        let words = format!("refused {case} --by {} --hold-until-stdin", kind.name());
        checks.about(&words);
        let (pinload, line) = match Pinload::at_first(&words, "calls") {
            Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
            Started::Unavailable(why) => return skipped(name, &why),
        };
        let pid = number(&line["pid"]);
        let pins = expected(&line, "acquired").filter(|_| !kind.pins_beyond());
        let report = recording.once(&words, |report| {
            let released = report.figure(pid, "released");
            let settled = pins.map_or(released == report.figure(pid, "acquired"), |pins| {
                pins == released
            });
            let refused = !pin_calls::refused(report, pid).is_empty();
            settled && (refused || case == "quiet")
        });
        report.check(&mut checks);
        if let Some(pins) = pins {
            checks.same("acquired", report.figure(pid, "acquired"), pins);
        }
        checks.same("pages held", report.figure(pid, "pages_held"), 0);
        let refused = pin_calls::refused(&report, pid);
        checks.same("kinds of refusals", refused.len(), usize::from(!errno.is_empty()));
        for one in &refused {
            checks.same("call", &one["call"], &kind.refused_call().into());
            checks.same("errno", &one["errno"], &errno.into());
            checks.same("count", &one["count"], &line["calls"]);
            checks.same("wanted_bytes", number(&one["wanted_bytes"]), 64 * PAGE);
            let sentence = one["sentence"].as_str().unwrap();
            println!("{sentence}");
            if case == "memlock" {
                checks.same("limit_bytes", number(&one["limit_bytes"]), 64 << 10);
                checks.same("uid", number(&one["uid"]), 1000);
                checks.same("exempt", &one["exempt"], &false.into());
                checks.holds(sentence.contains(" for 256 KiB with ENOMEM, 3 times: "), sentence);
                let used = "RLIMIT_MEMLOCK is 64 KiB, of which the process used nothing (";
                checks.holds(sentence.contains(used), sentence);
            }
        }
        checks.holds(pinload.end().success(), "pinload's end");
    }
    recording.finish().check(&mut checks);
    checks.conclude();
}
