//! Renders the JSON of `scan --json`.

use serde::Serialize;

use pintrace_events::{Evidence, ProcessSeen};
use pintrace_export::SCHEMA;
use pintrace_kernel::descriptors::Descriptor;
use pintrace_kernel::iomem::NotScanned;
use pintrace_scan::exclusivity::{Exclusivity, NotExclusiveHolder};
use pintrace_scan::join::{Amount, MappedRange};
use pintrace_scan::open_files::{Opener, Place};
use pintrace_scan::pinned_folios::ImplausiblePin;
use pintrace_scan::private_copies::PrivateCopies;
use pintrace_scan::scan_result::{
    Candidate, KindAmount, MemoryRead, PinHolder, ScanProcess, ScanResult, UnknownPins, Unreadable,
};

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
    not_scanned: &'a [NotScanned],
    pinned: Amount,
    parts: &'a [KindAmount],
    processes: Vec<ScanProcessKeys<'a>>,
    unknown_pins: UnknownKeys<'a>,
    contradicted: u64,
    exclusivity: Option<&'a Exclusivity>,
    hidden_files: Option<&'static str>,
    hidden_processes: Option<&'static str>,
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
    #[serde(flatten)]
    amount: Amount,
    parts: Vec<KindAmount>,
    holders: Vec<HolderKeys<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<&'a [MappedRange]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_ranges: Option<u64>,
}

#[derive(Serialize)]
struct HolderKeys<'a> {
    subsystem: &'static str,
    evidence: Evidence,
    #[serde(flatten)]
    amount: Amount,
    opened_by: Vec<OpenerKeys>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    private_copies: &'a [PrivateCopies],
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<Vec<AddressKeys>>,
}

/// A process that has the holder's file open, by one of three ways.
#[derive(Serialize)]
pub(super) struct OpenerKeys {
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    fd: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapped_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered_ring: Option<u32>,
}

/// A range of user addresses that was pinned.
#[derive(Serialize)]
pub(super) struct AddressKeys {
    pub(super) address: u64,
    pub(super) end: u64,
}

#[derive(Serialize)]
struct UnknownKeys<'a> {
    #[serde(flatten)]
    amount: Amount,
    unmapped: Amount,
    shared: Amount,
    parts: Vec<KindAmount>,
    candidates: Vec<CandidateKeys<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<Vec<FrameKeys>>,
}

#[derive(Serialize)]
pub(super) struct CandidateKeys<'a> {
    pid: u32,
    comm: &'a str,
    shared_pages: u64,
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
        not_scanned: &result.not_scanned,
        pinned: result.pinned,
        parts: &result.parts,
        processes: result.processes.iter().map(|one| process(one, pages)).collect(),
        unknown_pins: unknown_pins(&result.unknown, pages),
        contradicted: result.contradicted,
        exclusivity: result.exclusivity.as_ref(),
        hidden_files: result.hidden_files,
        hidden_processes: result.hidden_processes,
        heuristic_false_positives: FalsePositiveKeys {
            folios: result.implausible_count,
            frames: pages.then_some(&result.implausible),
        },
        unreadable: result.unreadable,
        processes_read: result.processes_read,
        all_processes: result.all_processes.as_deref(),
    })
}

/// Returns the JSON of an example that has all keys that the glossary explains.
pub(super) fn example() -> serde_json::Result<String> {
    let openers = [
        Place::Descriptor(4),
        Place::Mapping(4096),
        Place::RegisteredRing(0),
    ];
    let holder = PinHolder {
        evidence: Evidence::KernelTable,
        subsystem: "io_uring",
        amount: Amount::default(),
        runs: Vec::new(),
        files: Vec::new(),
        openers: openers.map(|place| Opener { pid: 1, place }).to_vec(),
        addresses: std::iter::once(0..4096).collect(),
        private_copies: vec![PrivateCopies {
            file: String::new(),
            pages: 1,
        }],
    };
    let process = ScanProcess {
        holders: vec![holder],
        ranges: vec![MappedRange {
            address: 0,
            end: 4096,
            pfn: 1,
        }],
        ..ScanProcess::default()
    };
    let candidate = Candidate {
        descriptors: vec![Descriptor { kind: "vfio", fd: 4 }],
        ..Candidate::default()
    };
    let result = ScanResult {
        not_scanned: vec![NotScanned::default()],
        processes: vec![process],
        unknown: UnknownPins {
            candidates: vec![candidate],
            ..UnknownPins::default()
        },
        exclusivity: Some(Exclusivity {
            holders: vec![NotExclusiveHolder { pid: 1, folios: 1 }],
            ..Exclusivity::default()
        }),
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

fn process(process: &ScanProcess, pages: bool) -> ScanProcessKeys<'_> {
    let ProcessSeen {
        pid,
        comm,
        cmdline,
        uid,
        cgroup,
        ..
    } = &process.process;
    ScanProcessKeys {
        pid: pid.0,
        comm,
        cmdline,
        uid: *uid,
        cgroup,
        amount: process.amount(),
        parts: process.parts(),
        holders: process.holders.iter().map(|one| holder(one, pages)).collect(),
        ranges: pages.then_some(&process.ranges),
        more_ranges: pages.then_some(process.more_ranges),
    }
}

fn holder(holder: &PinHolder, pages: bool) -> HolderKeys<'_> {
    let addresses = || {
        let ranges = holder.addresses.iter().map(|range| AddressKeys {
            address: range.start,
            end: range.end,
        });
        ranges.collect()
    };
    HolderKeys {
        subsystem: holder.subsystem,
        evidence: holder.evidence,
        amount: holder.amount,
        opened_by: holder.openers.iter().map(opener).collect(),
        private_copies: &holder.private_copies,
        addresses: pages.then(addresses),
    }
}

pub(super) fn opener(opener: &Opener) -> OpenerKeys {
    let mut keys = OpenerKeys {
        pid: opener.pid,
        fd: None,
        mapped_at: None,
        registered_ring: None,
    };
    match opener.place {
        Place::Descriptor(fd) => keys.fd = Some(fd),
        Place::Mapping(address) => keys.mapped_at = Some(address),
        Place::RegisteredRing(slot) => keys.registered_ring = Some(slot),
    }
    keys
}

fn unknown_pins(unknown: &UnknownPins, pages: bool) -> UnknownKeys<'_> {
    let frames = || {
        let runs = unknown.runs.iter().map(|run| FrameKeys {
            pfn: run.pfn,
            folios: run.folios,
            order: run.order,
            kind: run.kind.name(),
            pins: run.pins,
        });
        runs.collect()
    };
    UnknownKeys {
        amount: unknown.amount(),
        unmapped: unknown.unmapped,
        shared: unknown.shared,
        parts: KindAmount::of_runs(&unknown.runs),
        candidates: unknown.candidates.iter().map(candidate).collect(),
        frames: pages.then(frames),
    }
}

pub(super) fn candidate(candidate: &Candidate) -> CandidateKeys<'_> {
    CandidateKeys {
        pid: candidate.process.pid.0,
        comm: &candidate.process.comm,
        shared_pages: candidate.shared_pages,
        descriptors: &candidate.descriptors,
    }
}
