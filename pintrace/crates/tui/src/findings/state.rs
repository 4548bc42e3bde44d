//! Which findings and windows are listed, where the cursor stands, and what is open.

use pintrace_events::Cause;
use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_model::finding::{Finding, FindingKind, TriggerKind};
use pintrace_model::snapshot::Snapshot;

use super::super::app::moved;
use super::super::keymap::Scope;
use super::super::order::{self, Filter, Order};

/// What the view lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FindingsTab {
    #[default]
    Findings,
    Windows,
}

/// A finding across snapshots: nothing in it changes when it is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FindingIdentity {
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

/// Which finding has the screen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OpenFinding<'a> {
    /// None has.
    None,
    /// One that is no longer kept.
    Gone,
    /// This one.
    Shown(&'a Finding),
}

/// The state of the view.
#[derive(Debug)]
pub(crate) struct FindingsView {
    /// It is on the screen.
    pub(crate) shown: bool,
    pub(crate) part: FindingsTab,
    pub(crate) order: Order,
    /// Indexes into the findings of the snapshot.
    pub(crate) rows: Vec<usize>,
    /// Row under the cursor.
    pub(crate) cursor: usize,
    /// What the cursor follows; nothing until it is moved, so that the worst stays on top.
    followed: Option<FindingIdentity>,
    /// Indexes into the windows of the snapshot.
    pub(crate) windows: Vec<usize>,
    pub(crate) window: usize,
    /// Whose windows that cursor follows.
    followed_window: Option<(Pid, Cause)>,
    /// The finding that has the screen, if one has.
    open_finding: Option<FindingIdentity>,
    /// Its first line that is visible.
    pub(crate) first_line: usize,
    /// Its lines, as last drawn.
    pub(crate) lines: usize,
}

impl Default for FindingsView {
    fn default() -> Self {
        Self {
            shown: false,
            part: FindingsTab::default(),
            order: Order::of_findings(),
            rows: Vec::new(),
            cursor: 0,
            followed: None,
            windows: Vec::new(),
            window: 0,
            followed_window: None,
            open_finding: None,
            first_line: 0,
            lines: 0,
        }
    }
}

impl FindingsView {
    /// Comes or goes.
    pub(crate) fn toggle(&mut self) {
        self.shown = !self.shown;
        self.open_finding = None;
    }

    /// Whose keys are in force.
    pub(crate) fn scope(&self) -> Scope {
        match self.part {
            _ if self.open_finding.is_some() => Scope::Finding,
            FindingsTab::Findings => Scope::Findings,
            FindingsTab::Windows => Scope::Windows,
        }
    }

    /// Closes what is open: one finding, then the view. False if nothing was.
    pub(crate) fn back(&mut self) -> bool {
        self.open_finding.take().is_some() || std::mem::take(&mut self.shown)
    }

    /// The other part.
    pub(crate) fn switch(&mut self) {
        self.part = match self.part {
            FindingsTab::Findings => FindingsTab::Windows,
            FindingsTab::Windows => FindingsTab::Findings,
        };
    }

    /// Gives the screen to the finding under the cursor.
    pub(crate) fn open(&mut self, snapshot: &Snapshot) {
        self.open_finding = self.under_cursor(snapshot).map(FindingIdentity::of);
        self.first_line = 0;
        // Back on the list, the cursor stands where it stood.
        self.followed = self.open_finding.or(self.followed);
    }

    /// Moves whatever can be moved.
    pub(crate) fn go(&mut self, lines: isize, snapshot: &Snapshot) {
        match self.scope() {
            // Drawing clamps it: only there is the number of lines known.
            Scope::Finding => self.first_line = self.first_line.saturating_add_signed(lines),
            Scope::Windows => {
                self.window = moved(self.window, lines, self.windows.len());
                let all = self
                    .windows
                    .get(self.window)
                    .and_then(|row| snapshot.windows.get(*row));
                self.followed_window = all
                    .map(|all| (all.pid, all.cause))
                    .filter(|_| lines != isize::MIN);
            }
            _ => {
                self.cursor = moved(self.cursor, lines, self.rows.len());
                let found = self.under_cursor(snapshot).map(FindingIdentity::of);
                self.followed = found.filter(|_| lines != isize::MIN);
            }
        }
    }

    /// Chooses and orders the rows anew and lets the cursor follow its finding.
    pub(crate) fn arrange(&mut self, snapshot: &Snapshot, filter: &Filter) {
        self.rows = order::findings(snapshot, filter, self.order);
        self.windows = order::windows(snapshot, filter);
        self.cursor = match self.followed {
            None => 0,
            Some(followed) => {
                let mut rows = self.rows.iter().filter_map(|row| snapshot.findings.get(*row));
                let row = rows.position(|found| FindingIdentity::of(found) == followed);
                moved(row.unwrap_or(self.cursor), 0, self.rows.len())
            }
        };
        self.window = match self.followed_window {
            None => 0,
            Some(followed) => {
                let mut rows = self.windows.iter().filter_map(|row| snapshot.windows.get(*row));
                let row = rows.position(|all| (all.pid, all.cause) == followed);
                moved(row.unwrap_or(self.window), 0, self.windows.len())
            }
        };
    }

    /// The finding under the cursor.
    pub(crate) fn under_cursor<'a>(&self, snapshot: &'a Snapshot) -> Option<&'a Finding> {
        snapshot.findings.get(*self.rows.get(self.cursor)?)
    }

    /// The finding that has the screen.
    pub(crate) fn open_finding<'a>(&self, snapshot: &'a Snapshot) -> OpenFinding<'a> {
        let Some(open_finding) = self.open_finding else {
            return OpenFinding::None;
        };
        let mut all = snapshot.findings.iter();
        let kept = all.find(|found| FindingIdentity::of(found) == open_finding);
        kept.map_or(OpenFinding::Gone, OpenFinding::Shown)
    }
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
    fn the_cursor_follows_its_finding_and_the_top_stays_the_top() {
        let mut snapshot = fixture::found();
        let mut view = shown(&snapshot);
        view.go(2, &snapshot);
        let followed = view.under_cursor(&snapshot).cloned().unwrap();
        let mut worse = snapshot.findings[0].clone();
        worse.first = Nanos(1);
        snapshot.findings.insert(0, worse);
        view.arrange(&snapshot, &Filter::default());
        assert_eq!(view.cursor, 3);
        assert_eq!(view.under_cursor(&snapshot), Some(&followed));
        view.go(isize::MIN, &snapshot);
        view.order.reversed = true;
        view.arrange(&snapshot, &Filter::default());
        assert_eq!(view.cursor, 0);
    }

    #[test]
    fn the_cursor_of_the_windows_follows_as_well() {
        let mut snapshot = fixture::found();
        let mut view = shown(&snapshot);
        view.switch();
        view.go(0, &snapshot);
        let mut earlier = snapshot.windows[0].clone();
        earlier.pid = Pid(1);
        snapshot.windows.insert(0, earlier);
        view.arrange(&snapshot, &Filter::default());
        assert_eq!(view.window, 1);
        view.go(isize::MIN, &snapshot);
        view.arrange(&snapshot, &Filter::default());
        assert_eq!(view.window, 0);
    }

    #[test]
    fn a_finding_that_gave_way_is_missed_only_while_it_is_open() {
        let mut snapshot = fixture::found();
        let mut view = shown(&snapshot);
        view.open(&snapshot);
        assert!(matches!(view.open_finding(&snapshot), OpenFinding::Shown(_)));
        snapshot.findings.remove(0);
        view.arrange(&snapshot, &Filter::default());
        assert!(matches!(view.open_finding(&snapshot), OpenFinding::Gone));
        assert!(view.back() && matches!(view.open_finding(&snapshot), OpenFinding::None));
        assert!(view.back() && !view.shown);
        assert!(!view.back());
    }

    #[test]
    fn the_cursor_stays_within_what_a_filter_leaves() {
        let snapshot = fixture::found();
        let mut view = shown(&snapshot);
        view.go(isize::MAX, &snapshot);
        let filter = Filter {
            text: "cow-".to_owned(),
            ..Filter::default()
        };
        view.arrange(&snapshot, &filter);
        assert!(view.cursor < view.rows.len());
        view.arrange(
            &snapshot,
            &Filter {
                pids: vec![Pid(1)],
                ..Filter::default()
            },
        );
        assert!(view.rows.is_empty() && view.under_cursor(&snapshot).is_none());
    }
}
