//! The table of flush windows: write protections that wait for their TLB flush, by process and cause.

use ratatui::text::Line;

use pintrace_events::Cause;
use pintrace_events::units::Pid;
use pintrace_model::field::Field;
use pintrace_model::field::window::{COLUMNS, DEFAULT_SORT};
use pintrace_model::finding::coverage::not_covered;
use pintrace_model::finding::text::checked;
use pintrace_model::finding::{FindingKind, WindowTotals};
use pintrace_model::snapshot::Snapshot;

use super::super::filter::Filter;
use super::super::table::{self, Scene, TableRow};
use super::super::view::View;
use super::figures::{figures, sentence};

/// The flush windows of one process with one cause.
#[derive(Clone, Debug)]
pub(crate) struct WindowTableRow(WindowTotals);

impl TableRow for WindowTableRow {
    type Item = WindowTotals;
    type Identity = (Pid, Cause);

    const VIEW: View = View::FlushWindows;
    const DEFAULT_SORT: &'static str = DEFAULT_SORT;

    fn columns() -> Vec<&'static Field<WindowTotals>> {
        COLUMNS.iter().collect()
    }

    fn rows(snapshot: &Snapshot, _baseline: Option<&Snapshot>) -> Vec<Self> {
        snapshot.windows.iter().cloned().map(Self).collect()
    }

    fn item(&self) -> &WindowTotals {
        &self.0
    }

    fn identity(&self) -> Self::Identity {
        (self.0.pid, self.0.cause)
    }

    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool {
        filter.admits_row(&filter.queries().windows, &self.0, &[self.0.pid], snapshot.time)
    }

    fn width(column: &Field<WindowTotals>) -> usize {
        match column.id {
            // The longest name.
            "cause" => 12,
            _ => table::default_width(column),
        }
    }

    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        let Scene { snapshot, theme, .. } = *scene;
        let columns: Vec<_> = COLUMNS.iter().collect();
        let mut lines = figures(&columns, &self.0, snapshot.time, width, theme);
        lines.push(Line::default());
        lines.extend(sentence(
            "Between the write protection and the TLB flush, other CPUs can still write through old TLB entries. A pin, a \
             fault or a copy that falls into the window may see memory that changes.",
            width,
            theme,
        ));
        lines.push(Line::default());
        lines.extend(sentence(&checked(snapshot.flush_check), width, theme));
        lines
    }

    fn empty(scene: &Scene<'_>) -> String {
        let snapshot = scene.snapshot;
        let none = "No write protection has waited for its TLB flush.";
        // Flush windows need the same hooks as the finding pin-in-flush-window.
        match not_covered(&snapshot.started) {
            Some(why) if !FindingKind::PinInFlushWindow.is_covered(&snapshot.started) => {
                format!("{none} {why}")
            }
            _ => none.to_owned(),
        }
    }
}
