//! Records of the ring buffer: decoded, and turned into events by the tracker. Samples of extents that the tracker follows.

use std::hint::black_box;
use std::path::PathBuf;

use anyhow::Context as _;
use pintrace::pipeline::loader_btf;
use pintrace_common::ledger::{Extent, STACK_LATER};
use pintrace_common::wire::kind;
use pintrace_events::units::Nanos;
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_kernel::kallsyms::Kallsyms;
use pintrace_probes::load::{self, Layouts};
use pintrace_probes::options::LoadOptions;
use pintrace_probes::table;
use pintrace_source::decode::{Record, decode};
use pintrace_source::ledger::Ledger;
use pintrace_tracker::names::Names;
use pintrace_tracker::tracker::Tracker;

use crate::measure::{memory, stage};

/// Number of extents, each of which is opened and closed.
const EXTENTS: u32 = 10_000;
/// Size of the BPF map of extents in this benchmark. A session has [`limits::EXTENTS`](pintrace_common::limits::EXTENTS).
const MAP_ENTRIES: u32 = 1 << 20;
/// Time of the samples: no extent grows any more.
const LATER: Nanos = Nanos(10_000_000_000);

/// Measures decoding, tracking and sampling.
pub(crate) fn measure(ledger: &Ledger) -> anyhow::Result<()> {
    let bytes = records_of(0..EXTENTS, 1);
    let count = u64::from(2 * EXTENTS);
    decoded(&bytes)?;
    stage(
        "decode",
        count,
        || Ok(()),
        |()| {
            for record in &bytes {
                black_box(decode(black_box(record)));
            }
            Ok(())
        },
    )?;

    track("track", &bytes, ledger)?;
    // On preemptible kernels, a separate program stores the stack after the record, so the tracker reads the map.
    let later = records_of(0..EXTENTS, STACK_LATER);
    track("track, stacks that come later", &later, ledger)?;
    for extents in super::snapshots::EXTENTS {
        sample(extents, ledger)?;
    }
    Ok(())
}

/// Returns a tracker that follows many extents.
pub(crate) fn tracker_with(extents: u32, ledger: &Ledger) -> anyhow::Result<Tracker> {
    let mut tracker = tracker();
    let mut events = Vec::new();
    for index in 0..extents {
        let record = decode(&opened(index, 1)).context("a record of the bench has the wrong length")?;
        tracker.record(&record, ledger)?;
        if index % 1000 == 0 {
            tracker.take_events(&mut events);
            events.clear();
        }
    }
    tracker.sample(LATER, false, ledger)?;
    tracker.take_events(&mut events);
    Ok(tracker)
}

fn tracker() -> Tracker {
    Tracker::new(
        PathBuf::from("/proc"),
        Names::new(Kallsyms::parse(""), Vec::new()),
    )
}

/// Loads the eBPF object, and returns its maps.
pub(crate) fn ledger() -> anyhow::Result<Ledger> {
    let kernel = Kernel::read(&Roots::default(), table::functions())?;
    let layouts = Layouts::of(&kernel)?;
    let btf = loader_btf::of(&kernel.types);
    let options = LoadOptions {
        map_entries: vec![("EXTENTS", MAP_ENTRIES)],
        ..LoadOptions::default()
    };
    let load::Loaded { mut ebpf, .. } = load::load(&kernel.facts, &layouts, &btf, &options)
        .context("the tracker reads BPF maps: run the bench as root")?;
    Ok(Ledger::take(&mut ebpf)?)
}

fn track(name: &str, bytes: &[Vec<u8>], ledger: &Ledger) -> anyhow::Result<()> {
    let records = decoded(bytes)?;
    let mut tracker = tracker();
    let mut events = Vec::new();
    stage(
        name,
        records.len() as u64,
        || Ok(()),
        |()| {
            for record in &records {
                tracker.reading(Nanos(1), false);
                tracker.record(record, ledger)?;
            }
            events.clear();
            tracker.take_events(&mut events);
            black_box(&events);
            Ok(())
        },
    )
}

/// Measures a sample of extents that have not changed. The time is that of one sample.
fn sample(extents: u32, ledger: &Ledger) -> anyhow::Result<()> {
    let name = format!("tracker, {extents} extents");
    let mut tracker = memory(&name, || tracker_with(extents, ledger))?;
    stage(
        &format!("sample, {extents} extents"),
        1,
        || Ok(()),
        |()| Ok(tracker.sample(LATER, false, ledger)?),
    )
}

fn decoded(bytes: &[Vec<u8>]) -> anyhow::Result<Vec<Record>> {
    let decoded = bytes.iter().map(|record| decode(record));
    decoded
        .collect::<Option<_>>()
        .context("a record of the bench has the wrong length")
}

/// Returns the bytes of the records of extents that are opened and closed.
fn records_of(extents: std::ops::Range<u32>, stack: i64) -> Vec<Vec<u8>> {
    extents
        .flat_map(|index| [opened(index, stack), closed(index, stack)])
        .collect()
}

fn header(kind: u32, id: u32) -> Vec<u8> {
    let mut bytes = [kind.to_ne_bytes(), id.to_ne_bytes()].concat();
    bytes.extend(u64::from(id).to_ne_bytes());
    bytes
}

/// Appends the fields of an extent of anonymous memory that an open file pins.
fn extent(bytes: &mut Vec<u8>, index: u32, stack: i64) {
    let begin = bytes.len();
    bytes.resize(begin + size_of::<Extent>(), 0);
    let mut set = |offset: usize, value: u64| {
        bytes[begin + offset..begin + offset + 8].copy_from_slice(&value.to_ne_bytes());
    };
    let address = 0x7f00_0000_0000 + u64::from(index) * (1 << 21);
    set(std::mem::offset_of!(Extent, pages_held), 64);
    set(std::mem::offset_of!(Extent, bytes_held), 64 * 4096);
    set(std::mem::offset_of!(Extent, address), address);
    set(std::mem::offset_of!(Extent, end), address + 64 * 4096);
    set(std::mem::offset_of!(Extent, pages), 64);
    set(std::mem::offset_of!(Extent, opened_ns), 1);
    set(std::mem::offset_of!(Extent, stack), stack.cast_unsigned());
    set(
        std::mem::offset_of!(Extent, mm),
        0xffff_8880_0000_0000 + u64::from(index % 100) * 4096,
    );
    set(
        std::mem::offset_of!(Extent, file),
        0xffff_8881_0000_0000 + u64::from(index % 100) * 4096,
    );
}

fn opened(index: u32, stack: i64) -> Vec<u8> {
    let mut bytes = header(kind::EXTENT_OPENED, index);
    extent(&mut bytes, index, stack);
    bytes
}

fn closed(index: u32, stack: i64) -> Vec<u8> {
    let mut bytes = header(kind::EXTENT_CLOSED, index);
    extent(&mut bytes, index, stack);
    bytes.extend(0_u64.to_ne_bytes());
    bytes
}
