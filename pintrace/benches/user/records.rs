//! Records of the ring buffer: decoded, and turned into events by the tracker.

use std::hint::black_box;
use std::path::PathBuf;

use anyhow::Context as _;
use pintrace::pipeline::loader_btf;
use pintrace_common::wire::kind;
use pintrace_events::units::Nanos;
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_probes::load::{self, Layouts, LoadOptions};
use pintrace_probes::table;
use pintrace_source::decode::{Record, decode};
use pintrace_source::ledger::Ledger;
use pintrace_tracker::names::Names;
use pintrace_tracker::tracker::Tracker;

use crate::measure::stage;

/// Number of extents, each of which is opened and closed.
const EXTENTS: u32 = 10_000;

/// Measures both stages.
pub(crate) fn measure() -> anyhow::Result<()> {
    let bytes: Vec<Vec<u8>> = (0..EXTENTS).flat_map(opened_and_closed).collect();
    let records = || -> anyhow::Result<Vec<Record>> {
        let decoded = bytes.iter().map(|record| decode(record));
        decoded
            .collect::<Option<_>>()
            .context("a record of the bench has the wrong length")
    };
    let count = u64::from(2 * EXTENTS);
    records()?;
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

    let roots = Roots::default();
    let kernel = Kernel::read(&roots, table::functions())?;
    let layouts = Layouts::of(&kernel)?;
    let btf = loader_btf::of(&kernel.types);
    let load::Loaded { mut ebpf, .. } = load::load(&kernel.facts, &layouts, &btf, &LoadOptions::default())
        .context("the tracker reads BPF maps: run the bench as root")?;
    let ledger = Ledger::take(&mut ebpf)?;
    let mut tracker = Tracker::new(PathBuf::from("/proc"), Names::new(kernel.symbols, Vec::new()));
    let records = records()?;
    stage(
        "track",
        count,
        || Ok(()),
        |()| {
            for record in &records {
                tracker.reading(Nanos(1), false);
                tracker.record(record, &ledger)?;
            }
            black_box(tracker.take_events());
            Ok(())
        },
    )
}

/// Returns the bytes of the records of an extent that is opened and closed.
fn opened_and_closed(extent: u32) -> [Vec<u8>; 2] {
    [opened(extent), closed(extent)]
}

fn header(kind: u32, id: u32) -> Vec<u8> {
    let mut bytes = [kind.to_ne_bytes(), id.to_ne_bytes()].concat();
    bytes.extend(u64::from(id).to_ne_bytes());
    bytes
}

fn extent(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len() + size_of::<pintrace_common::ledger::Extent>(), 0);
}

fn opened(id: u32) -> Vec<u8> {
    let mut bytes = header(kind::EXTENT_OPENED, id);
    extent(&mut bytes);
    bytes
}

fn closed(id: u32) -> Vec<u8> {
    let mut bytes = header(kind::EXTENT_CLOSED, id);
    extent(&mut bytes);
    bytes.extend(0_u64.to_ne_bytes());
    bytes
}
