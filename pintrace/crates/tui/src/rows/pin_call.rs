//! The table of pin calls, below the calls in flight and the refused registrations.

use ratatui::text::{Line, Span};

use pintrace_common::pin_calls::{BUCKETS, FIRST_BUCKET_SHIFT};
use pintrace_events::units::{Nanos, Pid};
use pintrace_model::field::Field;
use pintrace_model::field::pin_call::{COLUMNS, DEFAULT_SORT, IN_FLIGHT};
use pintrace_model::pin_calls::{InFlight, PinCallRow, text as words};
use pintrace_model::registrations::{self, FailedRegistration};
use pintrace_model::snapshot::Snapshot;
use pintrace_model::subsystem::Subsystem;
use pintrace_model::text;
use pintrace_text::cut;

use super::super::filter::Filter;
use super::super::list::RowStyle;
use super::super::table::{self, Scene, TableRow};
use super::super::theme::Theme;
use super::super::view::View;
use super::figures::{self, LABEL, figures, heading, sentence};

/// The pin calls of a process through one subsystem.
#[derive(Clone, Debug)]
pub(crate) struct PinCallTableRow(PinCallRow);

impl TableRow for PinCallTableRow {
    type Item = PinCallRow;
    type Identity = (Pid, Subsystem, bool);

    const VIEW: View = View::PinCalls;
    const DEFAULT_SORT: &'static str = DEFAULT_SORT;

    fn columns() -> Vec<&'static Field<PinCallRow>> {
        COLUMNS.iter().collect()
    }

    fn rows(snapshot: &Snapshot, _baseline: Option<&Snapshot>) -> Vec<Self> {
        snapshot.pin_calls.iter().cloned().map(Self).collect()
    }

    fn item(&self) -> &PinCallRow {
        &self.0
    }

    fn identity(&self) -> Self::Identity {
        (self.0.pid, self.0.subsystem, self.0.ended)
    }

    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool {
        let query = &filter.queries().pin_calls;
        filter.admits_row(query, &self.0, &[self.0.pid], snapshot.time)
    }

    fn width(column: &Field<PinCallRow>) -> usize {
        match column.id {
            "cgroup" => 20,
            _ => table::default_width(column),
        }
    }

    fn style(&self, scene: &Scene<'_>) -> RowStyle {
        if self.0.ended {
            RowStyle {
                mark: "†",
                style: scene.theme.dim(),
            }
        } else {
            RowStyle::default()
        }
    }

    fn preface(scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        let mut lines = in_flight(scene, width);
        lines.extend(refused(scene, width));
        lines
    }

    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        let Scene { snapshot, theme, .. } = *scene;
        let row = &self.0;
        let columns: Vec<_> = COLUMNS.iter().collect();
        let mut lines = vec![Line::styled(
            format!("{} ({})", text::printable(&row.comm), row.pid.0),
            theme.strong(),
        )];
        let said = words::slowest(row).into_iter().chain(words::failures(row));
        lines.extend(said.flat_map(|said| sentence(&said, width, theme)));
        lines.extend(figures(&columns, row, snapshot.time, width, theme));
        if !row.cgroup.is_empty() {
            let cgroup = text::printable(&row.cgroup);
            lines.push(Line::styled(cut(&cgroup, width).into_owned(), theme.dim()));
        }
        lines.extend(histogram(row, width, theme));
        lines
    }

    fn empty(scene: &Scene<'_>) -> String {
        let snapshot = scene.snapshot;
        words::none(snapshot).to_owned()
    }
}

fn in_flight(scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
    let Scene {
        snapshot,
        filter,
        theme,
        ..
    } = *scene;
    let now = snapshot.time;
    let query = &filter.queries().in_flight;
    let admitted = |call: &&InFlight| filter.admits_row(query, *call, &[call.pid], now);
    let calls: Vec<&InFlight> = snapshot.calls_in_flight.iter().filter(admitted).collect();
    if calls.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Line::styled("Pin calls in flight", theme.strong())];
    let columns: Vec<&Field<InFlight>> = IN_FLIGHT.iter().collect();
    lines.extend(figures::table(&columns, &calls, now, width, theme));
    lines.push(Line::default());
    lines
}

fn refused(scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
    let Scene {
        snapshot,
        filter,
        theme,
        ..
    } = *scene;
    let query = &filter.queries().failed_registrations;
    let admitted =
        |one: &&FailedRegistration| filter.admits_row(query, *one, &[one.failed.pid], snapshot.time);
    let failed = snapshot.failed_registrations.iter().filter(admitted);
    let mut lines: Vec<Line<'static>> = failed
        .flat_map(|one| sentence(&registrations::sentence(one), width, theme))
        .collect();
    if !lines.is_empty() {
        lines.insert(0, Line::styled("Refused registrations", theme.strong()));
        lines.push(Line::default());
    }
    lines
}

/// Returns the durations of the calls as bars, one for each power of two that occurs.
fn histogram(row: &PinCallRow, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let durations = &row.totals.durations;
    let highest = durations.iter().copied().max().unwrap_or(0);
    let first = durations.iter().position(|count| *count > 0);
    let last = durations.iter().rposition(|count| *count > 0);
    let (Some(first), Some(last)) = (first, last) else {
        return Vec::new();
    };
    let mut lines: Vec<Line<'static>> = heading("Durations of the calls", theme).into();
    let room = width.saturating_sub(LABEL + 12).min(50);
    for (index, count) in durations.iter().enumerate().take(last + 1).skip(first) {
        let label = if index == BUCKETS - 1 {
            "longer".to_owned()
        } else {
            format!(
                "< {}",
                text::span(Nanos(1 << (FIRST_BUCKET_SHIFT as usize + index)))
            )
        };
        let length = u128::from(*count) * room as u128 / u128::from(highest.max(1));
        let length = usize::try_from(length).unwrap_or(0).max(usize::from(*count > 0));
        lines.push(Line::from(vec![
            Span::styled(pintrace_text::pad_right(&label, LABEL), theme.dim()),
            Span::styled("█".repeat(length), theme.accent()),
            Span::styled(format!(" {count}"), theme.plain()),
        ]));
    }
    lines
}
