//! The table of processes.

use std::cmp::Ordering;
use std::sync::Arc;

use ratatui::text::Line;

use pintrace_events::units::{Nanos, Pid};
use pintrace_model::field::process;
use pintrace_model::field::{Field, Unit};
use pintrace_model::finding::Severity;
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::text;
use pintrace_model::views::ended;
use pintrace_text::counted;

use super::super::filter::Filter;
use super::super::list::RowStyle;
use super::super::table::{self, Scene, TableRow};
use super::super::view::View;
use super::process_detail;

/// A process.
#[derive(Clone, Debug)]
pub(crate) struct ProcessTableRow(pub(crate) Arc<Process>);

impl TableRow for ProcessTableRow {
    type Item = Process;
    /// The pid, and the number of earlier processes with the pid: the kernel reuses pids.
    type Identity = (Pid, u32);

    const VIEW: View = View::Processes;
    const DEFAULT_SORT: &'static str = process::DEFAULT_SORT;

    fn columns() -> Vec<&'static Field<Process>> {
        process::COLUMNS.iter().collect()
    }

    fn rows(snapshot: &Snapshot, _baseline: Option<&Snapshot>) -> Vec<Self> {
        snapshot.processes.iter().cloned().map(Self).collect()
    }

    fn item(&self) -> &Process {
        &self.0
    }

    fn identity(&self) -> Self::Identity {
        (self.0.pid, self.0.earlier_processes)
    }

    fn rank(column: &Field<Process>, one: &Process, two: &Process) -> Ordering {
        process::rank(column, one, two)
    }

    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool {
        filter.admits(&self.0, snapshot.time)
    }

    fn width(column: &Field<Process>) -> usize {
        match (column.id, column.unit) {
            // The highest pid is 4194304.
            ("pid" | "oldest", _) => 7,
            ("subsystem", _) => 11,
            (_, Unit::Bytes) => 8,
            (_, Unit::Share) => 5,
            // The longest count has 6 characters; a title with its mark can be longer.
            _ => (column.title.len() + 1).max(6),
        }
    }

    fn cell(&self, column: &Field<Process>, width: usize, now: Nanos) -> String {
        if column.id == "comm" {
            command(&self.0, width)
        } else {
            table::text(&(column.value)(&self.0).at(now))
        }
    }

    fn style(&self, scene: &Scene<'_>) -> RowStyle {
        let Scene { snapshot, theme, .. } = scene;
        let pid = self.0.pid;
        let is_dangerous = snapshot
            .findings
            .iter()
            .any(|found| found.pid == pid && found.severity > Severity::Note);
        match (is_dangerous, self.0.ended) {
            (true, _) => RowStyle {
                mark: "!",
                style: theme.plain(),
            },
            (false, Some(_)) => RowStyle {
                mark: "†",
                style: theme.dim(),
            },
            (false, None) => RowStyle::default(),
        }
    }

    fn summary(scene: &Scene<'_>) -> Option<String> {
        let words = ended::of(scene.snapshot).text()?;
        let action = if scene.filter.with_ended {
            "e hides them"
        } else {
            "e shows them"
        };
        Some(format!("† {words}; {action}"))
    }

    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        process_detail::lines(&self.0, scene, width)
    }

    fn empty(scene: &Scene<'_>) -> String {
        let snapshot = scene.snapshot;
        let preexisting = snapshot.balance.preexisting_held;
        if preexisting > 0 {
            let pages = counted(preexisting.unsigned_abs(), "page");
            format!("No process has pinned memory yet. Preexisting pins hold {pages}.")
        } else {
            "No process has pinned memory yet.".to_owned()
        }
    }
}

/// Returns the command name, and the arguments if they fit.
fn command(process: &Process, width: usize) -> String {
    let name = text::printable(&process.comm);
    match process.cmdline.split_once(' ') {
        Some((_, arguments)) if pintrace_text::width(&name) + 8 < width => {
            format!("{name} {}", text::printable(arguments))
        }
        _ => name,
    }
}
