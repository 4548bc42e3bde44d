//! Renders the JSON of `scan --json`.

use serde::Serialize;

use pintrace_events::ProcessSeen;
use pintrace_export::SCHEMA;
use pintrace_kernel::descriptors::Descriptor;
use pintrace_scan::join::{Amount, MappedRange};
use pintrace_scan::pinned_folios::ImplausiblePin;
use pintrace_scan::scan_result::{KindAmount, MemoryRead, ScanHolder, ScanResult, UnmappedPins, Unreadable};

use super::Scan;

#[derive(Serialize)]
struct ScanDocument<'a> {
    schema: u32,
    version: &'static str,
    mode: &'static str,
    kernel: &'a str,
    machine: &'a str,
    balance: ScanBalance,
    memory: MemoryRead,
    pinned: Amount,
    parts: &'a [KindAmount],
    processes: Vec<ScanProcessKeys<'a>>,
    unmapped_pins: UnmappedKeys<'a>,
    heuristic_false_positives: FalsePositiveKeys<'a>,
    unreadable: Unreadable,
    processes_read: u64,
    all_processes: Option<&'a str>,
}

/// The balance in pages. An `Option` is `null` where the vmstat counters cannot be read.
#[derive(Serialize)]
struct ScanBalance {
    vmstat_acquired: Option<u64>,
    vmstat_released: Option<u64>,
    vmstat_held: Option<i128>,
    scan_held: u64,
    in_flight: Option<u64>,
    unaccounted: Option<i128>,
}

#[derive(Serialize)]
struct ScanProcessKeys<'a> {
    pid: u32,
    comm: &'a str,
    cmdline: &'a str,
    uid: Option<u32>,
    cgroup: &'a str,
    pages: u64,
    mapped: Amount,
    shared: Amount,
    counted: Amount,
    by_descriptor: u64,
    parts: &'a [KindAmount],
    descriptors: &'a [Descriptor],
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<&'a [MappedRange]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_ranges: Option<u64>,
}

#[derive(Serialize)]
struct UnmappedKeys<'a> {
    pages: u64,
    unmapped: Amount,
    explained: u64,
    parts: &'a [KindAmount],
    candidates: Vec<CandidateKeys<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<Vec<FrameKeys>>,
}

#[derive(Serialize)]
struct CandidateKeys<'a> {
    pid: u32,
    comm: &'a str,
    descriptors: &'a [Descriptor],
}

#[derive(Serialize)]
struct FrameKeys {
    pfn: u64,
    folios: u64,
    order: u8,
    kind: &'static str,
    pins: u32,
}

/// Folios that are not pinned, although `page_maybe_dma_pinned` returns true for them.
#[derive(Serialize)]
struct FalsePositiveKeys<'a> {
    folios: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<&'a [ImplausiblePin]>,
}

/// The result of a scan as one line; `pages` adds the lists of ranges and frames.
pub(super) fn render(scan: &Scan, pages: bool) -> serde_json::Result<String> {
    let result = &scan.result;
    let sums = scan.balance.map(|balance| balance.sums());
    serde_json::to_string(&ScanDocument {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        mode: "scan",
        kernel: &scan.kernel,
        machine: &scan.machine,
        balance: ScanBalance {
            vmstat_acquired: scan.balance.and_then(|balance| balance.vmstat_acquired),
            vmstat_released: scan.balance.and_then(|balance| balance.vmstat_released),
            vmstat_held: sums.and_then(|sums| sums.vmstat),
            scan_held: result.pinned.pages,
            in_flight: scan.balance.map(|balance| balance.in_flight),
            unaccounted: sums.map(|sums| sums.unaccounted()),
        },
        memory: result.memory,
        pinned: result.pinned,
        parts: &result.parts,
        processes: result
            .holders
            .iter()
            .map(|holder| process(holder, pages))
            .collect(),
        unmapped_pins: unmapped_pins(&result.unmapped_pins, pages),
        heuristic_false_positives: FalsePositiveKeys {
            folios: result.implausible_count,
            frames: pages.then_some(&result.implausible),
        },
        unreadable: result.unreadable,
        processes_read: result.processes_read,
        all_processes: result.all_processes.as_deref(),
    })
}

/// Returns the JSON of an example with a process, a range and a descriptor. The example has all keys that the glossary
/// explains.
pub(super) fn example() -> serde_json::Result<String> {
    let holder = ScanHolder {
        ranges: vec![MappedRange {
            address: 0,
            end: 4096,
            pfn: 1,
        }],
        descriptors: vec![Descriptor::default()],
        ..ScanHolder::default()
    };
    let result = ScanResult {
        holders: vec![holder],
        ..ScanResult::default()
    };
    let scan = Scan {
        kernel: String::new(),
        machine: String::new(),
        result,
        balance: None,
        chosen: false,
    };
    render(&scan, true)
}

fn process(holder: &ScanHolder, pages: bool) -> ScanProcessKeys<'_> {
    let ProcessSeen {
        pid,
        comm,
        cmdline,
        uid,
        cgroup,
        ..
    } = &holder.process;
    ScanProcessKeys {
        pid: pid.0,
        comm,
        cmdline,
        uid: *uid,
        cgroup,
        pages: holder.pages(),
        mapped: holder.mapped,
        shared: holder.shared,
        counted: holder.counted,
        by_descriptor: holder.by_descriptor,
        parts: &holder.parts,
        descriptors: &holder.descriptors,
        ranges: pages.then_some(&holder.ranges),
        more_ranges: pages.then_some(holder.more_ranges),
    }
}

fn unmapped_pins(unmapped_pins: &UnmappedPins, pages: bool) -> UnmappedKeys<'_> {
    let frames = || {
        let runs = unmapped_pins.runs.iter().map(|run| FrameKeys {
            pfn: run.pfn,
            folios: run.folios,
            order: run.order,
            kind: run.kind.name(),
            pins: run.pins,
        });
        runs.collect()
    };
    UnmappedKeys {
        pages: unmapped_pins.pages(),
        unmapped: unmapped_pins.unmapped,
        explained: unmapped_pins.explained,
        parts: &unmapped_pins.parts,
        candidates: unmapped_pins
            .candidates
            .iter()
            .map(|(process, descriptors)| CandidateKeys {
                pid: process.pid.0,
                comm: &process.comm,
                descriptors,
            })
            .collect(),
        frames: pages.then(frames),
    }
}
