//! The table of the costs in docs/own-cost.md.

use std::fmt::Write;

use super::super::figure::shown;
use super::super::result::{BenchResult, Member};

const BEGIN: &str = "<!-- bench report: cost -->\n";
const END: &str = "<!-- end -->";
/// The kernels of the table.
const PLACES: [&str; 2] = ["6.12", "7.3"];

/// A row of the table.
struct Row {
    title: &'static str,
    member: Member,
    workloads: &'static [&'static str],
    variant: &'static str,
    cell: Cell,
}

/// What a cell shows of the figures of its row.
enum Cell {
    /// The greatest ratio, as the percentage that an operation takes longer.
    Longer,
    /// The ratio of a rate, as a percentage of the rate without pintrace.
    Kept,
    /// The value and its unit.
    Value,
}

const BYSTANDERS: &[&str] = &[
    "anonymous-fault",
    "cow-fault",
    "map-touch-unmap",
    "discard-touch",
    "protect-pair",
    "system-call",
    "fork",
];

const ROWS: &[Row] = &[
    Row {
        title: "`serve` while no memory is pinned: the slowest of seven operations of other processes takes longer by",
        member: Member::Overhead,
        workloads: BYSTANDERS,
        variant: "serve, no pins",
        cell: Cell::Longer,
    },
    Row {
        title: "direct reads of 4 KiB from a disk that takes no time, of the rate without pintrace",
        member: Member::Overhead,
        workloads: &["fio randread, iodepth 32"],
        variant: "record",
        cell: Cell::Kept,
    },
    Row {
        title: "the same under a bpftrace script for the same question",
        member: Member::Overhead,
        workloads: &["fio randread, iodepth 32"],
        variant: "bpftrace",
        cell: Cell::Kept,
    },
    Row {
        title: "with all finding hooks, in a process that pins nothing: page fault",
        member: Member::Overhead,
        workloads: &["anonymous-fault"],
        variant: "record",
        cell: Cell::Longer,
    },
    Row {
        title: "the same: copy on write",
        member: Member::Overhead,
        workloads: &["cow-fault"],
        variant: "record",
        cell: Cell::Longer,
    },
    Row {
        title: "the same: MADV_DONTNEED and touch",
        member: Member::Overhead,
        workloads: &["discard-touch"],
        variant: "record",
        cell: Cell::Longer,
    },
    Row {
        title: "the same: two calls of mprotect",
        member: Member::Overhead,
        workloads: &["protect-pair"],
        variant: "record",
        cell: Cell::Longer,
    },
    Row {
        title: "the same: fork",
        member: Member::Overhead,
        workloads: &["fork"],
        variant: "record",
        cell: Cell::Longer,
    },
    Row {
        title: "CPU time of `serve` at rest",
        member: Member::Daemon,
        workloads: &["at rest, no pins"],
        variant: "CPU",
        cell: Cell::Value,
    },
    Row {
        title: "resident memory of `serve` at rest",
        member: Member::Daemon,
        workloads: &["at rest, no pins"],
        variant: "resident memory",
        cell: Cell::Value,
    },
    Row {
        title: "memory of the BPF maps at rest",
        member: Member::Daemon,
        workloads: &["at rest, no pins"],
        variant: "BPF maps",
        cell: Cell::Value,
    },
];

impl Row {
    /// Returns the cell of a kernel.
    fn cell(&self, results: &[(Member, Option<BenchResult>)], place: &str) -> String {
        let result = results.iter().find(|(member, _)| *member == self.member);
        let stored = result.and_then(|(_, result)| result.as_ref());
        let figures = stored.iter().flat_map(|result| &result.figures).filter(|figure| {
            let workload = self.workloads.contains(&figure.workload.as_str());
            figure.place == place && figure.variant == self.variant && workload
        });
        let cells = figures.map(|figure| match self.cell {
            Cell::Value => Some((figure.value, format!("{} {}", shown(figure.value), figure.unit))),
            Cell::Longer => {
                let longer = (figure.ratio? - 1.0).max(0.0) * 100.0;
                Some((longer, format!("{longer:.1} %")))
            }
            Cell::Kept => Some((figure.value, format!("{:.1} %", figure.ratio? * 100.0))),
        });
        let most = cells.flatten().max_by(|one, other| one.0.total_cmp(&other.0));
        most.map_or_else(|| "not measured".to_owned(), |(_, text)| text)
    }
}

/// Returns the text of the page with a new table; `None` if the text has no place for the table.
pub(super) fn text(page: &str, results: &[(Member, Option<BenchResult>)]) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    let mut text = format!("{before}{BEGIN}|  | {} |\n|---|--:|--:|\n", PLACES.join(" | "));
    for row in ROWS {
        let cells = PLACES.map(|place| row.cell(results, place));
        let _ = writeln!(text, "| {} | {} |", row.title, cells.join(" | "));
    }
    Some(text + END + after)
}

#[cfg(test)]
mod tests {
    use super::super::super::figure::tests::figure;
    use super::super::super::figure::{Better, Figure};
    use super::*;

    #[test]
    fn a_row_shows_the_greatest_ratio() {
        let at = |workload, ratio| Figure {
            place: "6.12".to_owned(),
            ..figure(workload, "serve, no pins", ratio, Better::Lower)
        };
        let result = BenchResult {
            figures: vec![at("fork", 1.021), at("cow-fault", 0.99)],
            ..BenchResult::default()
        };
        let page = format!("a\n{BEGIN}old\n{END}\nb\n");
        let text = text(&page, &[(Member::Overhead, Some(result))]).unwrap();
        assert!(
            text.contains("takes longer by | 2.1 % | not measured |"),
            "{text}"
        );
        assert!(text.starts_with("a\n") && text.ends_with("<!-- end -->\nb\n") && !text.contains("old"));
    }

    #[test]
    fn a_page_without_a_place_is_left_alone() {
        assert_eq!(text("no table", &[]), None);
    }
}
