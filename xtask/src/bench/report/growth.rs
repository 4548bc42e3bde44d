//! The growth of user space with extents and processes, and an estimate for a large machine.

use std::fmt::Write;

use pintrace_common::ledger::OWNER_CELLS;

use super::super::figure::shown;
use super::super::result::{BenchResult, Member};
use super::super::stages;
use super::{kernel_maps, plots};

const MIB: f64 = 1024.0 * 1024.0;
/// The large machine of the estimate.
const CPUS: u64 = 512;
const MEMORY: u64 = 8 << 40;
/// The memory of an ordinary host.
const ORDINARY: u64 = 64 << 30;
/// Open extents of the estimate.
const EXTENTS: u32 = 1_000_000;
/// Processes of the estimate.
const PROCESSES: u32 = 50_000;
/// ns to scan one struct page: 12.9 ms for 24 GiB in full use (docs/design).
const SCAN_PAGE_NS: f64 = 2.05;

/// Returns the text that follows the table of `bench user`.
pub(super) fn text(result: &BenchResult) -> String {
    let plots = plots::grown(Member::User, result);
    if plots.is_empty() {
        return String::new();
    }
    let mut text = "
### Growth

The slope is the exponent of the growth: 0 does not depend on the number N, and 1 is proportional to
N. A tick costs each possible extent a look at one byte, and each process the sum of its accounts.
Fold and snapshot follow the changes; their slopes come from deeper trees and colder caches. User
space reads no owners of a folio: their cost is that of the BPF programs (`cargo xtask bench core`).

| curve | values | slope |
|---|---|--:|
"
    .to_owned();
    for curve in plots.iter().flat_map(|(.., curves)| curves) {
        let values: Vec<String> = curve.points.iter().map(|(_, value)| shown(*value)).collect();
        let _ = writeln!(
            text,
            "| {}, {} | {} | {:.2} |",
            curve.label,
            curve.unit,
            values.join(", "),
            curve.slope()
        );
    }
    for (name, ..) in &plots {
        let _ = write!(text, "\n![{name}](performance/{name}.svg)\n");
    }
    text.push_str(&estimate(result));
    text
}

/// A row of the estimate: the quantity, the formula, and the value.
type Row = (&'static str, &'static str, String);

/// Returns the estimate for the large machine.
fn estimate(result: &BenchResult) -> String {
    let mut text = "
### Estimate for 512 CPUs and 8 TiB

Nothing here ran on such a machine. The sizes of the maps are those of `pintrace-common` for a kernel
with `bpf_loop` (5.17), on which elements of hash maps are allocated on demand. The kernel rounds an
element of the folio table from 576 to 1,024 bytes. The times are those of the machine above, and the
time of a scan is taken from the design pages. A session has room for one extent
for each 256 KiB of memory, at least for 65,536 and at most for 1,048,576: further extents are counted
under a loss counter. Accounts are limited to 16,384, and their maps are in the first row.

| | formula | estimate |
|---|---|--:|
"
    .to_owned();
    for (what, formula, value) in kernel_rows().into_iter().chain(user_rows(result)) {
        let _ = writeln!(text, "| {what} | {formula} | {value} |");
    }
    text
}

/// The kernel memory, and the scan of struct pages.
fn kernel_rows() -> Vec<Row> {
    let extents = u64::from(EXTENTS);
    let mib = |bytes: u64| in_mib(as_float(bytes));
    let owners = 1000_u64.div_ceil(OWNER_CELLS as u64) * kernel_maps::owner_block();
    vec![
        (
            "BPF maps at the start, 1,000,000 extents, 64 GiB",
            "arrays and queues + 16 bytes for each bucket of a hash map",
            mib(kernel_maps::at_start(extents, ORDINARY)),
        ),
        (
            "of these, the extents",
            "N × (144 + 4) bytes",
            mib(kernel_maps::of_extents(extents)),
        ),
        (
            "BPF maps at the start, 1,000,000 extents, 8 TiB",
            "the same",
            mib(kernel_maps::at_start(extents, MEMORY)),
        ),
        (
            "of these, the buckets of the folio table",
            "2 × memory / 256 KiB, at most 2^25, × 16 bytes",
            mib(kernel_maps::chunk_buckets(MEMORY)),
        ),
        (
            "caches of the hash maps, 512 CPUs, at most",
            "hash maps × CPUs × 24 KiB",
            mib(kernel_maps::caches(CPUS)),
        ),
        (
            "folio table, all of 8 TiB pinned in pages of 4 KiB",
            "memory / 256 KiB × 1 KiB",
            mib(kernel_maps::chunks(MEMORY) * kernel_maps::chunk()),
        ),
        (
            "folio table, all of 8 TiB pinned in folios of 2 MiB",
            "memory / 2 MiB × 1 KiB",
            mib((MEMORY >> 21) * kernel_maps::chunk()),
        ),
        (
            "one folio with 1,000 owners",
            "1,000 / 13 × 192 bytes",
            format!("{} bytes", shown(as_float(owners))),
        ),
        (
            "one scan of all struct pages of 8 TiB, one CPU",
            "memory / 4 KiB × 2.05 ns",
            in_ms(as_float(MEMORY >> 12) * SCAN_PAGE_NS),
        ),
    ]
}

/// The memory and the time of user space, as far as they were measured.
fn user_rows(result: &BenchResult) -> Vec<Row> {
    let figure = |workload: String, variant: &str| {
        let mut figures = result.figures.iter();
        let figure = figures.find(|figure| figure.workload == workload && figure.variant == variant);
        figure.map(|figure| figure.value)
    };
    let resident = figure(format!("resident, {EXTENTS} extents"), stages::MEMORY);
    let model = figure(format!("model, {PROCESSES} processes"), stages::MEMORY);
    let sample = figure(format!("sample, {EXTENTS} extents"), "time");
    let tick = figure(format!("tick, {PROCESSES} processes"), "time");
    let snapshot = figure(format!("snapshot, 100 of {EXTENTS} extents changed"), "time");
    let rows = [
        (
            "user memory, 1,000,000 extents",
            "measured, resident",
            resident.map(in_mib),
        ),
        (
            "user memory, 50,000 processes",
            "measured, the model",
            model.map(in_mib),
        ),
        (
            "tick, reads of 1,000,000 extents",
            "a look at N bytes",
            sample.map(in_ms),
        ),
        ("tick, rates of 50,000 processes", "measured", tick.map(in_ms)),
        (
            "snapshot, 100 of 1,000,000 extents changed",
            "measured",
            snapshot.map(in_ms),
        ),
    ];
    rows.into_iter()
        .filter_map(|(what, formula, value)| Some((what, formula, value?)))
        .collect()
}

fn in_mib(bytes: f64) -> String {
    format!("{} MiB", shown(bytes / MIB))
}

fn in_ms(ns: f64) -> String {
    format!("{} ms", shown(ns / 1e6))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate needs no more than 52 bits"
)]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::super::super::figure::Better;
    use super::super::super::figure::tests::figure;
    use super::*;

    #[test]
    fn a_result_without_curves_has_no_text() {
        assert_eq!(text(&BenchResult::default()), "");
    }

    #[test]
    fn curves_and_estimate_follow_the_figures() {
        let sample = |number: u32| {
            figure(
                &format!("sample, {number} extents"),
                "time",
                f64::from(number),
                Better::Lower,
            )
        };
        let result = BenchResult {
            figures: vec![sample(1000), sample(EXTENTS)],
            ..BenchResult::default()
        };
        let text = text(&result);
        assert!(
            text.contains("| sample, N extents, ns | 1,000,000, 1,000,000,000 | 1.00 |"),
            "{text}"
        );
        assert!(
            text.contains("| tick, reads of 1,000,000 extents | a look at N bytes | 1,000 ms |"),
            "{text}"
        );
        assert!(!text.contains("50,000 processes |"), "{text}");
    }
}
