//! The table of findings: repeats of one kind by one program at one place are one row.

use std::cmp::Ordering;

use ratatui::style::Style;
use ratatui::text::Line;

use pintrace_model::field::Field;
use pintrace_model::field::folded_finding;
use pintrace_model::finding::coverage::not_covered;
use pintrace_model::finding::text::dropped;
use pintrace_model::finding::{Finding, FindingKind, TriggerKind};
use pintrace_model::shed;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::views::folded_findings::{self, FoldedFinding};
use pintrace_text::cut;

use super::super::filter::Filter;
use super::super::table::{self, Scene, TableRow};
use super::super::theme::Theme;
use super::super::view::View;
use super::finding_detail;

/// Most findings of a row that are shown in full.
const MOST: usize = 20;

/// Findings that differ only in process, address and time.
#[derive(Clone, Debug)]
pub(crate) struct FindingTableRow(FoldedFinding);

impl TableRow for FindingTableRow {
    type Item = FoldedFinding;
    type Identity = (FindingKind, Option<TriggerKind>, String, String);

    const VIEW: View = View::Findings;
    const DEFAULT_SORT: &'static str = folded_finding::DEFAULT_SORT;

    fn columns() -> Vec<&'static Field<FoldedFinding>> {
        folded_finding::COLUMNS.iter().collect()
    }

    fn rows(snapshot: &Snapshot, _baseline: Option<&Snapshot>) -> Vec<Self> {
        folded_findings::of(snapshot).into_iter().map(Self).collect()
    }

    fn item(&self) -> &FoldedFinding {
        &self.0
    }

    fn identity(&self) -> Self::Identity {
        let row = &self.0;
        (row.kind, row.trigger, row.comm.clone(), row.place.clone())
    }

    fn rank(column: &Field<FoldedFinding>, one: &FoldedFinding, two: &FoldedFinding) -> Ordering {
        folded_finding::rank(column, one, two)
    }

    /// A row is shown if one of its findings is.
    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool {
        let mut findings = self
            .0
            .findings
            .iter()
            .filter_map(|position| snapshot.findings.get(*position));
        findings.any(|found| filter.admits_finding(found, snapshot.time))
    }

    fn width(column: &Field<FoldedFinding>) -> usize {
        match column.id {
            // The longest names.
            "kind" => 21,
            "trigger" => 12,
            "severity" => 6,
            "place" => 18,
            _ => table::default_width(column),
        }
    }

    fn cell_style(&self, column: &Field<FoldedFinding>, theme: Theme) -> Style {
        match column.id {
            "severity" => theme.severity(self.0.severity),
            _ => Style::new(),
        }
    }

    fn preface(scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        if scene.snapshot.findings.is_empty() {
            return Vec::new();
        }
        notes(scene.snapshot)
            .iter()
            .map(|note| Line::styled(cut(note, width).into_owned(), scene.theme.dim()))
            .collect()
    }

    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        let Scene { snapshot, theme, .. } = *scene;
        let findings = self.0.findings.iter();
        let findings: Vec<&Finding> = findings
            .filter_map(|position| snapshot.findings.get(*position))
            .collect();
        let mut lines = Vec::new();
        for found in findings.iter().take(MOST) {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.extend(finding_detail::lines(found, snapshot.time, width, theme));
        }
        if findings.len() > MOST {
            let more = format!("… {} more findings like these", findings.len() - MOST);
            lines.push(Line::styled(more, theme.dim()));
        }
        lines
    }

    fn empty(scene: &Scene<'_>) -> String {
        let snapshot = scene.snapshot;
        format!("No findings. {}", notes(snapshot).join(" "))
    }
}

/// Returns why findings may be missing.
fn notes(snapshot: &Snapshot) -> Vec<String> {
    let notes = [
        not_covered(&snapshot.started),
        snapshot.finding_hooks.note(),
        shed::note(&snapshot.shed),
        dropped(snapshot.findings_dropped),
    ];
    notes.into_iter().flatten().collect()
}
