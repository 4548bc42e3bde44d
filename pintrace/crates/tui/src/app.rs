//! What the screen is about: which snapshot, which rows, where the cursor stands, what is open.
//!
//! Turns actions into state. Knows neither terminals nor how anything looks.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use pintrace_events::units::Pid;
use pintrace_model::snapshot::{Process, Snapshot};

use super::findings::FindingsView;
use super::keymap::{self, Action, Scope};
use super::order::{self, Filter, Order};

/// What the loop has to do after a key.
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

/// A process across snapshots: a pid may come again, so it is the n-th of that pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessIdentity {
    pid: Pid,
    turn: usize,
}

/// The list shown in the detail of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum List {
    #[default]
    Extents,
    Threads,
}

/// The detail of a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    pub(super) process: ProcessIdentity,
    pub(super) list: List,
    pub(super) cursor: usize,
}

/// The state of the view.
#[derive(Debug, Default)]
pub(super) struct App {
    /// What is drawn.
    pub(super) shown: Arc<Snapshot>,
    /// What came last; the same unless frozen.
    latest: Arc<Snapshot>,
    pub(super) frozen: bool,
    pub(super) order: Order,
    pub(super) filter: Filter,
    /// The filter as it was before it was edited; `Some` while it is.
    pub(super) editing: Option<String>,
    /// Indexes into the processes of `shown`.
    pub(super) rows: Vec<usize>,
    /// Row under the cursor.
    pub(super) cursor: usize,
    /// Whom the cursor follows; nobody until it is moved, so that the first row stays the first.
    followed: Option<ProcessIdentity>,
    pub(super) detail: Option<Detail>,
    /// The view of findings, which lies above table and detail while it is shown.
    pub(super) findings: FindingsView,
    /// First line of the help that is visible; `Some` while it is open.
    pub(super) help: Option<usize>,
    /// Lines of the help, as last drawn.
    pub(super) help_lines: usize,
    /// Lines of the list on the screen, as last drawn.
    pub(super) page: usize,
}

impl App {
    pub(super) fn new(snapshot: Arc<Snapshot>, pids: Vec<Pid>) -> Self {
        let filter = Filter {
            pids,
            ..Filter::default()
        };
        let mut app = Self {
            shown: snapshot.clone(),
            latest: snapshot,
            filter,
            ..Self::default()
        };
        app.arrange();
        app
    }

    /// Takes a new snapshot; says whether the picture changes by it.
    pub(super) fn take(&mut self, snapshot: Arc<Snapshot>) -> bool {
        self.latest = snapshot;
        if self.frozen {
            return false;
        }
        self.shown = self.latest.clone();
        self.arrange();
        true
    }

    /// The process that the detail is about, if it is still known.
    pub(super) fn subject(&self) -> Option<&Process> {
        let identity = self.detail?.process;
        let same_pid = |process: &&Process| process.pid == identity.pid;
        self.shown.processes.iter().filter(same_pid).nth(identity.turn)
    }

    /// Acts on a key.
    pub(super) fn press(&mut self, key: &KeyEvent) -> Step {
        if self.editing.is_some()
            && let Some(step) = self.edit(key)
        {
            return step;
        }
        keymap::action(key, self.scope()).map_or(Step::Wait, |action| self.act(action))
    }

    /// Whose keys are in force.
    pub(super) fn scope(&self) -> Scope {
        if self.findings.shown {
            self.findings.scope()
        } else if self.detail.is_some() {
            Scope::Detail
        } else {
            Scope::Table
        }
    }

    fn act(&mut self, action: Action) -> Step {
        match action {
            Action::Quit => return Step::Quit,
            Action::Suspend => return Step::Suspend,
            Action::Back => return self.back(),
            Action::Help => self.help = if self.help.is_some() { None } else { Some(0) },
            Action::Move(lines) => self.go(lines),
            Action::Page(pages) => self.go(pages.saturating_mul(self.page.max(1).cast_signed())),
            Action::First => self.go(isize::MIN),
            Action::Last => self.go(isize::MAX),
            Action::Freeze => {
                self.frozen = !self.frozen;
                self.take(self.latest.clone());
            }
            Action::Findings if self.help.take().is_some() => self.findings.shown = true,
            // What follows changes what the help covers.
            _ if self.help.is_some() => return Step::Wait,
            Action::Findings => self.findings.toggle(),
            Action::Open if self.findings.shown => self.findings.open(&self.shown),
            Action::Open => self.open(),
            Action::Switch if self.findings.shown => self.findings.switch(),
            Action::Switch => self.switch(),
            Action::Filter => self.editing = Some(self.filter.text.clone()),
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

    /// The order of what is on the screen.
    fn order_mut(&mut self) -> &mut Order {
        if self.findings.shown {
            &mut self.findings.order
        } else {
            &mut self.order
        }
    }

    fn back(&mut self) -> Step {
        if self.help.take().is_some() || self.findings.back() || self.detail.take().is_some() {
            return Step::Draw;
        }
        if self.filter.text.is_empty() {
            return Step::Quit;
        }
        self.filter.text.clear();
        self.arrange();
        Step::Draw
    }

    fn open(&mut self) {
        self.detail = self.identity(self.cursor).map(|process| Detail {
            process,
            list: List::default(),
            cursor: 0,
        });
        // Back on the table, the cursor stands where it stood.
        self.followed = self.detail.map(|detail| detail.process).or(self.followed);
    }

    fn switch(&mut self) {
        if let Some(detail) = &mut self.detail {
            detail.list = if detail.list == List::Extents {
                List::Threads
            } else {
                List::Extents
            };
            detail.cursor = 0;
        }
    }

    /// Moves whatever can be moved on this screen.
    fn go(&mut self, lines: isize) {
        if self.help.is_none() && self.findings.shown {
            self.findings.go(lines, &self.shown);
            return;
        }
        let entries = self
            .subject()
            .zip(self.detail)
            .map_or(0, |(process, detail)| match detail.list {
                List::Extents => process.open_extents.len(),
                List::Threads => process.threads.len(),
            });
        if let Some(first) = &mut self.help {
            // Drawing clamps it: only there is the number of lines known.
            *first = first.saturating_add_signed(lines);
        } else if let Some(detail) = &mut self.detail {
            detail.cursor = moved(detail.cursor, lines, entries);
        } else {
            self.cursor = moved(self.cursor, lines, self.rows.len());
            self.followed = if lines == isize::MIN {
                None
            } else {
                self.identity(self.cursor)
            };
        }
    }

    /// A key while the filter is typed; `None` if it is not for the filter.
    fn edit(&mut self, key: &KeyEvent) -> Option<Step> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter => self.editing = None,
            KeyCode::Esc => self.filter.text = self.editing.take().unwrap_or_default(),
            KeyCode::Backspace if self.filter.text.pop().is_none() => self.editing = None,
            KeyCode::Backspace => {}
            KeyCode::Char('u') if control => self.filter.text.clear(),
            KeyCode::Char(char) if !control && !char.is_control() => self.filter.text.push(char),
            _ => return None,
        }
        self.arrange();
        Some(Step::Draw)
    }

    /// Chooses and orders the rows anew and lets the cursor follow its process.
    fn arrange(&mut self) {
        self.findings.arrange(&self.shown, &self.filter);
        self.rows = order::rows(&self.shown, &self.filter, self.order);
        let last = self.rows.len().saturating_sub(1);
        self.cursor = match self.followed {
            None => 0,
            Some(identity) => (0..self.rows.len())
                .find(|row| self.identity(*row) == Some(identity))
                .unwrap_or(self.cursor)
                .min(last),
        };
        if let Some((extents, threads)) = self
            .subject()
            .map(|process| (process.open_extents.len(), process.threads.len()))
            && let Some(detail) = &mut self.detail
        {
            let entries = if detail.list == List::Extents {
                extents
            } else {
                threads
            };
            detail.cursor = detail.cursor.min(entries.saturating_sub(1));
        }
    }

    fn identity(&self, row: usize) -> Option<ProcessIdentity> {
        let index = *self.rows.get(row)?;
        let pid = self.shown.processes.get(index)?.pid;
        // Processes stand in order of pid, so those of the same pid stand right before.
        let before = self.shown.processes.iter().take(index).rev();
        Some(ProcessIdentity {
            pid,
            turn: before.take_while(|process| process.pid == pid).count(),
        })
    }
}

/// A cursor moved by so many lines, and still on an entry.
pub(super) fn moved(cursor: usize, lines: isize, entries: usize) -> usize {
    cursor.saturating_add_signed(lines).min(entries.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn app() -> App {
        App::new(Arc::new(fixture::busy()), Vec::new())
    }

    fn press(app: &mut App, code: KeyCode) -> Step {
        app.press(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn typed(app: &mut App, keys: &str) {
        for key in keys.chars() {
            press(app, KeyCode::Char(key));
        }
    }

    fn under_cursor(app: &App) -> u32 {
        app.shown.processes[app.rows[app.cursor]].pid.0
    }

    #[test]
    fn the_cursor_follows_its_process_and_the_top_stays_the_top() {
        let mut app = app();
        typed(&mut app, "j");
        let followed = under_cursor(&app);
        typed(&mut app, "R");
        assert_eq!(under_cursor(&app), followed);
        typed(&mut app, "g");
        let first = under_cursor(&app);
        typed(&mut app, "R");
        assert_eq!(app.cursor, 0);
        assert_ne!(under_cursor(&app), first);
    }

    #[test]
    fn a_frozen_picture_holds_until_it_is_let_go() {
        let mut app = app();
        typed(&mut app, "z");
        assert!(!app.take(Arc::new(fixture::lossy())));
        assert_eq!(*app.shown, fixture::busy());
        typed(&mut app, "z");
        assert_eq!(*app.shown, fixture::lossy());
    }

    #[test]
    fn escape_closes_one_thing_after_another_and_then_quits() {
        let mut app = app();
        typed(&mut app, "/fio");
        press(&mut app, KeyCode::Enter);
        press(&mut app, KeyCode::Enter);
        typed(&mut app, "?");
        assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
        assert!(app.help.is_none() && app.detail.is_some());
        assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
        assert!(app.detail.is_none() && app.filter.text == "fio");
        assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
        assert!(app.filter.text.is_empty());
        assert_eq!(press(&mut app, KeyCode::Esc), Step::Quit);
    }

    #[test]
    fn a_filter_can_be_taken_back_while_it_is_typed() {
        let mut app = app();
        typed(&mut app, "/q");
        assert_eq!(app.rows.len(), 1, "q is typed, not quit");
        press(&mut app, KeyCode::Esc);
        assert_eq!(app.rows.len(), 4);
        typed(&mut app, "/q");
        let end = app.press(&KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
        assert_eq!(end, Step::Quit, "Ctrl-C ends it from anywhere");
    }

    #[test]
    fn a_pid_that_comes_again_is_another_process() {
        let mut snapshot = fixture::busy();
        let mut again = snapshot.processes[3].clone();
        again.comm = "another".to_owned();
        again.pages_held = 1;
        snapshot.processes.push(again);
        let mut app = App::new(Arc::new(snapshot), vec![Pid(4242)]);
        typed(&mut app, "G");
        press(&mut app, KeyCode::Enter);
        assert_eq!(
            app.subject().map(|process| process.comm.as_str()),
            Some("another")
        );
    }

    #[test]
    fn the_detail_of_a_process_that_is_forgotten_stays_open_and_says_so() {
        let mut app = app();
        press(&mut app, KeyCode::Enter);
        app.take(Arc::new(fixture::empty()));
        assert!(app.detail.is_some() && app.subject().is_none());
        press(&mut app, KeyCode::Down);
        assert_eq!(press(&mut app, KeyCode::Esc), Step::Draw);
    }

    #[test]
    fn keys_of_the_table_do_nothing_behind_the_help() {
        let mut app = app();
        typed(&mut app, "?");
        assert_eq!(press(&mut app, KeyCode::Char('e')), Step::Wait);
        assert!(!app.filter.without_ended);
    }

    #[test]
    fn findings_lie_above_what_was_open_and_have_an_order_of_their_own() {
        let mut app = App::new(Arc::new(fixture::found()), Vec::new());
        press(&mut app, KeyCode::Enter);
        typed(&mut app, "fcR");
        assert_eq!(app.order, Order::default());
        assert!(app.findings.order.column == "count" && app.findings.order.reversed);
        press(&mut app, KeyCode::Enter);
        assert_eq!(app.scope(), Scope::Finding);
        press(&mut app, KeyCode::Esc);
        assert_eq!(app.scope(), Scope::Findings);
        typed(&mut app, "?f");
        assert!(
            app.help.is_none() && app.findings.shown,
            "from the help to the findings"
        );
        typed(&mut app, "f");
        assert_eq!(app.scope(), Scope::Detail);
    }
}
