//! The table of call sites: the kernel code that pins.

use std::cmp::Ordering;
use std::sync::Arc;

use ratatui::text::Line;

use pintrace_model::field::Field;
use pintrace_model::field::call_site;
use pintrace_model::snapshot::{Process, Snapshot};
use pintrace_model::subsystem::Subsystem;
use pintrace_model::text;
use pintrace_model::views::call_sites::{self, CallSiteRow};

use super::super::filter::{Filter, matches};
use super::super::stack;
use super::super::table::{self, Scene, TableRow};
use super::super::view::View;
use super::figures::{figures, heading, paragraph};

/// Most processes that are listed.
const MOST: usize = 50;

/// A call site.
#[derive(Clone, Debug)]
pub(crate) struct CallSiteTableRow(CallSiteRow);

impl TableRow for CallSiteTableRow {
    type Item = CallSiteRow;
    type Identity = (Subsystem, Arc<str>, Arc<[String]>);

    const VIEW: View = View::CallSites;
    const DEFAULT_SORT: &'static str = call_site::DEFAULT_SORT;

    fn columns() -> Vec<&'static Field<CallSiteRow>> {
        call_site::COLUMNS.iter().collect()
    }

    fn rows(snapshot: &Snapshot, _baseline: Option<&Snapshot>) -> Vec<Self> {
        call_sites::of(snapshot).into_iter().map(Self).collect()
    }

    fn item(&self) -> &CallSiteRow {
        &self.0
    }

    fn identity(&self) -> Self::Identity {
        (self.0.subsystem, self.0.caller.clone(), self.0.stack.clone())
    }

    fn rank(column: &Field<CallSiteRow>, one: &CallSiteRow, two: &CallSiteRow) -> Ordering {
        call_site::rank(column, one, two)
    }

    /// `--pid` chooses processes, and no call sites.
    fn admits(&self, filter: &Filter, snapshot: &Snapshot) -> bool {
        matches(&filter.queries().call_sites, &self.0, snapshot.time)
    }

    fn width(column: &Field<CallSiteRow>) -> usize {
        match column.id {
            "caller" => 20,
            _ => table::default_width(column),
        }
    }

    fn detail(&self, scene: &Scene<'_>, width: usize) -> Vec<Line<'static>> {
        let Scene { snapshot, theme, .. } = *scene;
        let row = &self.0;
        let title = if row.caller.is_empty() {
            "unknown caller".to_owned()
        } else {
            text::printable(&row.caller)
        };
        let mut lines = vec![Line::styled(title, theme.strong())];
        let columns: Vec<_> = call_site::COLUMNS.iter().collect();
        lines.extend(figures(&columns, row, snapshot.time, width, theme));
        if row.stack.is_empty() {
            lines.push(Line::styled("  stack unknown", theme.dim()));
        }
        lines.extend(stack::lines(&row.stack, 2, width, theme));
        lines.extend(heading("Processes", theme));
        let mut listed = 0;
        for process in snapshot.processes.iter().filter(|process| is_of(row, process)) {
            listed += 1;
            if listed <= MOST {
                let words = text::printable(&process.comm);
                lines.extend(paragraph(&process.pid.0.to_string(), &words, width, theme));
            }
        }
        if listed > MOST {
            lines.push(Line::styled(format!("… {} more", listed - MOST), theme.dim()));
        }
        lines
    }

    fn empty(_scene: &Scene<'_>) -> String {
        "No page is held by a pin whose call site is known.".to_owned()
    }
}

/// Returns true if pins of a process come from a call site.
fn is_of(row: &CallSiteRow, process: &Process) -> bool {
    let same = |subsystem: Subsystem, caller: &str, stack: &[String]| {
        // Most pins share the text of their stack, so that the frames need no comparison.
        let same_stack = std::ptr::eq(stack, &raw const *row.stack) || *stack == *row.stack;
        subsystem == row.subsystem && *caller == *row.caller && same_stack
    };
    let mut extents = process.open_extents.iter();
    let mut accounts = process.held_accounts.iter();
    extents.any(|extent| same(extent.subsystem, &extent.caller, &extent.stack))
        || accounts.any(|account| same(account.subsystem, &account.caller, &account.stack))
}
