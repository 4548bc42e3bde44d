//! The listed findings and flush windows, the cursors, and the open finding.

use pintrace_events::Cause;
use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_model::finding::{Finding, FindingKind, TriggerKind};
use pintrace_model::snapshot::Snapshot;

use super::super::cursor::Cursor;
use super::super::filter::Filter;
use super::super::keymap::KeyScope;
use super::super::order::{self, Order};
use super::super::scroll::ScrollPosition;

/// The tab of the view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FindingsTab {
    #[default]
    List,
    FlushWindows,
}

/// The identity of a finding across snapshots: values that do not change if the finding repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FindingIdentity {
    found: (FindingKind, Option<TriggerKind>, Pid, Nanos),
    pin: Option<(Tid, u64)>,
}

impl FindingIdentity {
    fn of(found: &Finding) -> Self {
        let trigger = found.trigger.as_ref().map(|trigger| trigger.what);
        Self {
            found: (found.kind, trigger, found.pid, found.first),
            pin: found.pin.as_ref().map(|pin| (pin.tid, pin.address)),
        }
    }
}

/// The finding that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OpenFinding<'a> {
    /// No finding is open.
    None,
    /// The open finding is no longer in the snapshot.
    Gone,
    /// The open finding.
    Shown(&'a Finding),
}

/// The state of the screens about findings.
#[derive(Debug)]
pub(crate) struct FindingsView {
    /// True while one of these screens is visible.
    pub(crate) shown: bool,
    pub(crate) tab: FindingsTab,
    pub(crate) order: Order,
    /// Indexes into the findings of the snapshot.
    pub(crate) rows: Vec<usize>,
    pub(crate) cursor: Cursor<FindingIdentity>,
    /// Indexes into the flush windows of the snapshot.
    pub(crate) windows: Vec<usize>,
    pub(crate) window: Cursor<(Pid, Cause)>,
    /// The open finding, which fills the screen.
    open: Option<FindingIdentity>,
    /// The position in the lines of the open finding.
    pub(crate) scroll: ScrollPosition,
}

impl Default for FindingsView {
    fn default() -> Self {
        Self {
            shown: false,
            tab: FindingsTab::default(),
            order: Order::of_findings(),
            rows: Vec::new(),
            cursor: Cursor::default(),
            windows: Vec::new(),
            window: Cursor::default(),
            open: None,
            scroll: ScrollPosition::default(),
        }
    }
}

impl FindingsView {
    /// Shows or hides the view.
    pub(crate) fn toggle(&mut self) {
        self.shown = !self.shown;
        self.open = None;
    }

    /// The screen whose keys are in force.
    pub(crate) fn scope(&self) -> KeyScope {
        match self.tab {
            _ if self.open.is_some() => KeyScope::FindingDetail,
            FindingsTab::List => KeyScope::FindingTable,
            FindingsTab::FlushWindows => KeyScope::WindowTable,
        }
    }

    /// Closes the open finding, else the view. Returns false if no finding and no view was open.
    pub(crate) fn back(&mut self) -> bool {
        self.open.take().is_some() || std::mem::take(&mut self.shown)
    }

    /// Shows the other tab.
    pub(crate) fn switch(&mut self) {
        self.tab = match self.tab {
            FindingsTab::List => FindingsTab::FlushWindows,
            FindingsTab::FlushWindows => FindingsTab::List,
        };
    }

    /// Opens the finding under the cursor.
    pub(crate) fn open(&mut self, snapshot: &Snapshot) {
        self.open = self.under_cursor(snapshot).map(FindingIdentity::of);
        self.scroll = ScrollPosition::default();
        // The cursor of the list is on the same finding after the return.
        self.cursor.follow(self.open);
    }

    /// Moves the cursor of the visible list, or scrolls the open finding.
    pub(crate) fn go(&mut self, lines: isize, snapshot: &Snapshot) {
        match self.scope() {
            KeyScope::FindingDetail => self.scroll.go(lines),
            KeyScope::WindowTable => {
                let identity = |row| window(snapshot, &self.windows, row);
                self.window.go(lines, self.windows.len(), identity);
            }
            _ => {
                let identity = |row| finding(snapshot, &self.rows, row);
                self.cursor.go(lines, self.rows.len(), identity);
            }
        }
    }

    /// Chooses and orders the rows for a snapshot. Each cursor follows its entry.
    pub(crate) fn arrange(&mut self, snapshot: &Snapshot, filter: &Filter) {
        self.rows = order::findings(snapshot, filter, self.order);
        self.windows = order::windows(snapshot, filter);
        let identity = |row| finding(snapshot, &self.rows, row);
        self.cursor.arrange(self.rows.len(), identity);
        let identity = |row| window(snapshot, &self.windows, row);
        self.window.arrange(self.windows.len(), identity);
    }

    /// Returns the finding under the cursor.
    pub(crate) fn under_cursor<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Finding> {
        snapshot.findings.get(*self.rows.get(self.cursor.row)?)
    }

    /// The finding that is open.
    pub(crate) fn opened<'a>(&self, snapshot: &'a Snapshot) -> OpenFinding<'a> {
        let Some(open) = self.open else {
            return OpenFinding::None;
        };
        let mut all = snapshot.findings.iter();
        let kept = all.find(|found| FindingIdentity::of(found) == open);
        kept.map_or(OpenFinding::Gone, OpenFinding::Shown)
    }
}

fn finding(snapshot: &Snapshot, rows: &[usize], row: usize) -> Option<FindingIdentity> {
    snapshot.findings.get(*rows.get(row)?).map(FindingIdentity::of)
}

fn window(snapshot: &Snapshot, rows: &[usize], row: usize) -> Option<(Pid, Cause)> {
    let totals = snapshot.windows.get(*rows.get(row)?)?;
    Some((totals.pid, totals.cause))
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    fn shown(snapshot: &Snapshot) -> FindingsView {
        let mut view = FindingsView::default();
        view.toggle();
        view.arrange(snapshot, &Filter::default());
        view
    }

    #[test]
    fn the_cursor_follows_its_finding_unless_it_is_at_the_top() {
        let mut snapshot = fixture::found();
        let mut view = shown(&snapshot);
        view.go(2, &snapshot);
        let followed = view.under_cursor(&snapshot).cloned().unwrap();
        let mut worse = snapshot.findings[0].clone();
        worse.first = Nanos(1);
        snapshot.findings.insert(0, worse);
        view.arrange(&snapshot, &Filter::default());
        assert_eq!(view.cursor.row, 3);
        assert_eq!(view.under_cursor(&snapshot), Some(&followed));
        view.go(isize::MIN, &snapshot);
        view.order.reversed = true;
        view.arrange(&snapshot, &Filter::default());
        assert_eq!(view.cursor.row, 0);
    }

    #[test]
    fn the_cursor_of_the_flush_windows_follows_its_row() {
        let mut snapshot = fixture::found();
        let mut view = shown(&snapshot);
        view.switch();
        view.go(0, &snapshot);
        let mut earlier = snapshot.windows[0].clone();
        earlier.pid = Pid(1);
        snapshot.windows.insert(0, earlier);
        view.arrange(&snapshot, &Filter::default());
        assert_eq!(view.window.row, 1);
        view.go(isize::MIN, &snapshot);
        view.arrange(&snapshot, &Filter::default());
        assert_eq!(view.window.row, 0);
    }

    #[test]
    fn a_finding_that_was_replaced_is_gone_only_while_it_is_open() {
        let mut snapshot = fixture::found();
        let mut view = shown(&snapshot);
        view.open(&snapshot);
        assert!(matches!(view.opened(&snapshot), OpenFinding::Shown(_)));
        snapshot.findings.remove(0);
        view.arrange(&snapshot, &Filter::default());
        assert!(matches!(view.opened(&snapshot), OpenFinding::Gone));
        assert!(view.back() && matches!(view.opened(&snapshot), OpenFinding::None));
        assert!(view.back() && !view.shown);
        assert!(!view.back());
    }

    #[test]
    fn the_cursor_stays_within_the_rows_that_a_filter_leaves() {
        let snapshot = fixture::found();
        let mut view = shown(&snapshot);
        view.go(isize::MAX, &snapshot);
        let filter = Filter::of_text("cow-");
        view.arrange(&snapshot, &filter);
        assert!(view.cursor.row < view.rows.len());
        view.arrange(&snapshot, &Filter::of_pids(vec![Pid(1)]));
        assert!(view.rows.is_empty() && view.under_cursor(&snapshot).is_none());
    }
}
