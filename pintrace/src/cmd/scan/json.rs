//! The one JSON shape of `scan --json`. Keys are added, never renamed.

use serde::Serialize;

use pintrace_events::ProcessSeen;
use pintrace_export::SCHEMA;
use pintrace_kernel::descriptors::Descriptor;
use pintrace_scan::found::Doubtful;
use pintrace_scan::join::{Amount, Mapped};
use pintrace_scan::look::{Holder, Memory, Orphans, Part, Unseen};

use super::Scan;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    version: &'static str,
    witness: &'static str,
    kernel: &'a str,
    machine: &'a str,
    truth: Truth,
    memory: Memory,
    pinned: Amount,
    parts: &'a [Part],
    processes: Vec<Process<'a>>,
    orphans: OrphanKeys<'a>,
    heuristic_wrong: Wrong<'a>,
    unseen: Unseen,
    processes_read: u64,
    all_processes: Option<&'a str>,
}

/// `null` where the books cannot be read.
#[derive(Serialize)]
struct Truth {
    books_acquired: Option<u64>,
    books_released: Option<u64>,
    books_held: Option<i128>,
    state_held: u64,
    in_flight: Option<u64>,
    unaccounted: Option<i128>,
}

#[derive(Serialize)]
struct Process<'a> {
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
    parts: &'a [Part],
    descriptors: &'a [Descriptor],
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<&'a [Mapped]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    more_ranges: Option<u64>,
}

#[derive(Serialize)]
struct OrphanKeys<'a> {
    pages: u64,
    unmapped: Amount,
    explained: u64,
    parts: &'a [Part],
    candidates: Vec<Candidate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<Vec<Frames>>,
}

#[derive(Serialize)]
struct Candidate<'a> {
    pid: u32,
    comm: &'a str,
    descriptors: &'a [Descriptor],
}

#[derive(Serialize)]
struct Frames {
    pfn: u64,
    folios: u64,
    order: u8,
    kind: &'static str,
    pins: u32,
}

/// Folios that `page_maybe_dma_pinned` takes for pinned.
#[derive(Serialize)]
struct Wrong<'a> {
    folios: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<&'a [Doubtful]>,
}

/// The scan as one line; `pages` adds the lists.
pub(super) fn render(scan: &Scan, pages: bool) -> serde_json::Result<String> {
    let look = &scan.look;
    let balance = scan.truth.map(|truth| truth.balance());
    serde_json::to_string(&Document {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        witness: "state",
        kernel: &scan.kernel,
        machine: &scan.machine,
        truth: Truth {
            books_acquired: scan.truth.and_then(|truth| truth.books_acquired),
            books_released: scan.truth.and_then(|truth| truth.books_released),
            books_held: balance.and_then(|balance| balance.books),
            state_held: look.pinned.pages,
            in_flight: scan.truth.map(|truth| truth.in_flight),
            unaccounted: balance.map(|balance| balance.unaccounted()),
        },
        memory: look.memory,
        pinned: look.pinned,
        parts: &look.parts,
        processes: look.holders.iter().map(|holder| process(holder, pages)).collect(),
        orphans: orphans(&look.orphans, pages),
        heuristic_wrong: Wrong {
            folios: look.doubtful_count,
            frames: pages.then_some(&look.doubtful),
        },
        unseen: look.unseen,
        processes_read: look.processes_read,
        all_processes: look.all_processes.as_deref(),
    })
}

fn process(holder: &Holder, pages: bool) -> Process<'_> {
    let ProcessSeen {
        pid,
        comm,
        cmdline,
        uid,
        cgroup,
        ..
    } = &holder.process;
    Process {
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

fn orphans(orphans: &Orphans, pages: bool) -> OrphanKeys<'_> {
    let frames = || {
        let runs = orphans.runs.iter().map(|run| Frames {
            pfn: run.pfn,
            folios: run.folios,
            order: run.order,
            kind: run.kind.name(),
            pins: run.pins,
        });
        runs.collect()
    };
    OrphanKeys {
        pages: orphans.pages(),
        unmapped: orphans.unmapped,
        explained: orphans.explained,
        parts: &orphans.parts,
        candidates: orphans
            .candidates
            .iter()
            .map(|(process, descriptors)| Candidate {
                pid: process.pid.0,
                comm: &process.comm,
                descriptors,
            })
            .collect(),
        frames: pages.then(frames),
    }
}
