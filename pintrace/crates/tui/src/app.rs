//! The state of the view: the snapshot, the open screens, the filter.
//!
//! This module turns keys into state. It must know neither the terminal nor the layout of a screen.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crossterm::event::KeyEvent;

use pintrace_events::units::Pid;
use pintrace_model::snapshot::Snapshot;

use super::filter::Filter;
use super::findings::FindingsView;
use super::keymap::{self, Action, KeyScope};
use super::order::Order;
use super::processes::ProcessesView;
use super::queries::RowKind;
use super::query_line::{Edited, QueryLine};
use super::scroll::ScrollPosition;

/// The next step of the loop after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing changed.
    Wait,
    /// Draw again.
    Draw,
    /// Stop the process until the shell continues it.
    Suspend,
    /// Leave.
    Quit,
}

/// The state of the view.
#[derive(Debug, Default)]
pub(super) struct App {
    /// The snapshot on the screen.
    pub(super) shown: Arc<Snapshot>,
    /// The last snapshot. It is on the screen unless the display is frozen.
    latest: Arc<Snapshot>,
    pub(super) frozen: bool,
    pub(super) filter: Filter,
    /// The line on which the filter is edited.
    pub(super) editing: Option<QueryLine>,
    pub(super) processes: ProcessesView,
    /// The findings, which cover the processes while they are shown.
    pub(super) findings: FindingsView,
    /// The position in the own cost, while it is shown. It covers the processes and the findings.
    pub(super) own_cost: Option<ScrollPosition>,
    /// The position in the pin calls, while they are shown. They cover the processes and the findings.
    pub(super) pin_calls: Option<ScrollPosition>,
    /// The position in the help, while the help is open. The help covers all other screens.
    pub(super) help: Option<ScrollPosition>,
    /// Lines of a page at the last draw.
    pub(super) page: usize,
}

impl App {
    pub(super) fn new(snapshot: Arc<Snapshot>, pids: Vec<Pid>) -> Self {
        let filter = Filter::of_pids(pids);
        let mut app = Self {
            shown: snapshot.clone(),
            latest: snapshot,
            filter,
            ..Self::default()
        };
        app.arrange();
        app
    }

    /// Begins with a filter.
    pub(super) fn set_filter(&mut self, text: String) {
        self.filter.set(text);
        self.arrange();
    }

    /// Takes a new snapshot. Returns true if the screen changes.
    pub(super) fn take(&mut self, snapshot: Arc<Snapshot>) -> bool {
        self.latest = snapshot;
        if self.frozen {
            return false;
        }
        self.shown = self.latest.clone();
        self.arrange();
        true
    }

    /// Acts on a key.
    pub(super) fn press(&mut self, key: &KeyEvent) -> Step {
        if let Some(mut line) = self.editing.take() {
            let rows = (self.row_kind(), &*self.shown);
            let edited = line.press(key, &mut self.filter, rows);
            self.editing = (edited != Edited::Done).then_some(line);
            if edited != Edited::NotForFilter {
                self.arrange();
                return Step::Draw;
            }
        }
        keymap::action(key, self.scope()).map_or(Step::Wait, |action| self.act(action))
    }

    /// Returns the screen whose keys are in force.
    pub(super) fn scope(&self) -> KeyScope {
        if self.own_cost.is_some() {
            KeyScope::OwnCost
        } else if self.pin_calls.is_some() {
            KeyScope::PinCalls
        } else if self.findings.shown {
            self.findings.scope()
        } else {
            self.processes.scope()
        }
    }

    /// Returns the kind of the rows on the screen.
    pub(super) fn row_kind(&self) -> RowKind {
        match self.scope() {
            KeyScope::FindingTable | KeyScope::FindingDetail => RowKind::Finding,
            KeyScope::WindowTable => RowKind::Window,
            KeyScope::PinCalls => RowKind::PinCall,
            KeyScope::ProcessTable | KeyScope::ProcessDetail | KeyScope::OwnCost | KeyScope::Everywhere => {
                RowKind::Process
            }
        }
    }

    fn act(&mut self, action: Action) -> Step {
        match action {
            Action::Quit => return Step::Quit,
            Action::Suspend => return Step::Suspend,
            Action::Back => return self.back(),
            Action::Help if self.help.is_some() => self.help = None,
            Action::Help => self.help = Some(ScrollPosition::default()),
            Action::Move(lines) => self.go(lines),
            Action::Page(pages) => self.go(pages.saturating_mul(self.page.max(1).cast_signed())),
            Action::First => self.go(isize::MIN),
            Action::Last => self.go(isize::MAX),
            Action::Freeze => {
                self.frozen = !self.frozen;
                self.take(self.latest.clone());
            }
            Action::Findings if self.uncover() => self.findings.shown = true,
            Action::OwnCost if self.own_cost.is_none() || self.help.is_some() => {
                self.uncover();
                self.own_cost = Some(ScrollPosition::default());
            }
            Action::OwnCost => self.own_cost = None,
            Action::PinCalls if self.pin_calls.is_none() || self.help.is_some() => {
                self.uncover();
                self.pin_calls = Some(ScrollPosition::default());
            }
            Action::PinCalls => self.pin_calls = None,
            // The actions below change a screen that the help covers.
            _ if self.help.is_some() => return Step::Wait,
            Action::Findings => self.findings.toggle(),
            Action::Open if self.findings.shown => self.findings.open(&self.shown),
            Action::Open => self.processes.open(&self.shown),
            Action::Switch if self.findings.shown => self.findings.switch(),
            Action::Switch => self.processes.switch(),
            Action::Filter => self.editing = Some(QueryLine::begin(&self.filter)),
            Action::Ended => self.filter.without_ended = !self.filter.without_ended,
            Action::Sort(column) => {
                *self.order_mut() = Order {
                    column,
                    reversed: false,
                }
            }
            Action::Reverse => {
                let order = self.order_mut();
                order.reversed = !order.reversed;
            }
        }
        self.arrange();
        Step::Draw
    }

    /// Closes the screens that cover processes and findings. Returns true if any was open.
    fn uncover(&mut self) -> bool {
        let open = [
            self.help.take().is_some(),
            self.own_cost.take().is_some(),
            self.pin_calls.take().is_some(),
        ];
        open.contains(&true)
    }

    /// Returns the order of the list on the screen.
    fn order_mut(&mut self) -> &mut Order {
        if self.findings.shown {
            &mut self.findings.order
        } else {
            &mut self.processes.order
        }
    }

    fn back(&mut self) -> Step {
        if self.help.take().is_some()
            || self.own_cost.take().is_some()
            || self.pin_calls.take().is_some()
            || self.findings.back()
            || self.processes.back()
        {
            return Step::Draw;
        }
        if self.filter.text().is_empty() {
            return Step::Quit;
        }
        self.filter.set(String::new());
        self.arrange();
        Step::Draw
    }

    /// Moves the cursor or scrolls on the visible screen.
    fn go(&mut self, lines: isize) {
        if let Some(help) = &mut self.help {
            help.go(lines);
        } else if let Some(own_cost) = &mut self.own_cost {
            own_cost.go(lines);
        } else if let Some(pin_calls) = &mut self.pin_calls {
            pin_calls.go(lines);
        } else if self.findings.shown {
            self.findings.go(lines, &self.shown);
        } else {
            self.processes.go(lines, &self.shown);
        }
    }

    /// Chooses and orders the rows of every list for the snapshot on the screen.
    fn arrange(&mut self) {
        self.findings.arrange(&self.shown, &self.filter);
        self.processes.arrange(&self.shown, &self.filter);
    }
}
