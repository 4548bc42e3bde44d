//! The table of changes: what each process holds more or less than at the baseline.

use std::cmp::Ordering;

use ratatui::text::Line;

use pintrace_events::units::{Nanos, Pid};
use pintrace_model::field::difference;
use pintrace_model::field::{Field, Unit, Value};
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;
use pintrace_model::views::difference::{self as changes, DifferenceRow};

use super::super::filter::Filter;
use super::super::table::{self, Scene, TableRow};
use super::super::view::View;
use super::process_detail;

/// The changes of a process.
#[derive(Clone, Debug)]
pub(crate) struct ChangeTableRow(DifferenceRow);

impl TableRow for ChangeTableRow {
    type Item = DifferenceRow;
    type Identity = (Pid, u32);

    const VIEW: View = View::Changes;
    const DEFAULT_SORT: &'static str = difference::DEFAULT_SORT;

    fn columns() -> Vec<&'static Field<DifferenceRow>> {
        difference::COLUMNS.iter().collect()
    }

    fn rows(snapshot: &Snapshot, baseline: Option<&Snapshot>) -> Vec<Self> {
        let Some(baseline) = baseline else {
            return Vec::new();
        };
        // The moment on the screen may be before the baseline.
        let (earlier, later) = if baseline.time <= snapshot.time {
            (baseline, snapshot)
        } else {
            (snapshot, baseline)
        };
        let rows = changes::of(earlier, later).into_iter();
        rows.filter(DifferenceRow::has_changed).map(Self).collect()
    }

    fn item(&self) -> &DifferenceRow {
        &self.0
    }

    fn identity(&self) -> Self::Identity {
        (self.0.process.pid, self.0.process.earlier_processes)
    }

    fn rank(column: &Field<DifferenceRow>, one: &DifferenceRow, two: &DifferenceRow) -> Ordering {
        difference::rank(column, one, two)
    }

    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool {
        let pids = [self.0.process.pid];
        filter.admits_row(&filter.queries().changes, &self.0, &pids, snapshot.time)
    }

    fn cell(&self, column: &Field<DifferenceRow>, _width: usize, now: Nanos) -> String {
        match ((column.value)(&self.0).at(now), column.unit) {
            (Value::Signed(bytes), Unit::Bytes) => text::signed_bytes(bytes),
            (value, _) => table::text(&value),
        }
    }

    fn preface(scene: &Scene<'_>, _width: usize) -> Vec<Line<'static>> {
        let Some(baseline) = scene.baseline else {
            return Vec::new();
        };
        let (moment, marked) = (scene.snapshot.time, baseline.time);
        let words = if marked <= moment {
            let age = text::span(moment.since(marked));
            format!("Changes since the baseline, {age} before this moment. B forgets the baseline.")
        } else {
            let later = text::span(marked.since(moment));
            format!("Changes from this moment to the baseline, {later} later. B forgets the baseline.")
        };
        vec![Line::styled(words, scene.theme.dim())]
    }

    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        process_detail::lines(&self.0.process, scene, width)
    }

    fn empty(scene: &Scene<'_>) -> String {
        if scene.baseline.is_none() {
            return "There is no baseline. B marks the moment on the screen as baseline.".to_owned();
        }
        "No process has changed what it holds since the baseline. B marks the moment on the screen as baseline.".to_owned()
    }
}
