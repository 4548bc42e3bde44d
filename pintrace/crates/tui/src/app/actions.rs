//! The effects of the actions that keys, clicks and commands name.

use pintrace_model::snapshot::Snapshot;

use super::super::copy;
use super::super::help::HelpScreen;
use super::super::keymap::Action;
use super::super::query_line::QueryLine;
use super::super::time::MomentWords;
use super::super::view::View;
use super::{App, Effect, Step};

impl App {
    /// Does an action.
    pub(super) fn act(&mut self, action: Action) -> Step {
        let step = self.change(action);
        // Rows are chosen anew only if they may be others: there may be very many.
        if step == Step::Draw && changes_rows(action) {
            self.arrange();
        }
        step
    }

    fn change(&mut self, action: Action) -> Step {
        match action {
            Action::Quit => return Step::Quit,
            Action::Suspend => return Step::Suspend,
            Action::Redraw => return Step::Redraw,
            Action::Back => self.back(),
            Action::Help if self.help.is_some() => self.help = None,
            Action::Help => self.help = Some(HelpScreen::default()),
            Action::Move(lines) => self.go(lines),
            Action::Page(pages) => self.go(pages.saturating_mul(self.page.max(1).cast_signed())),
            Action::First => self.go(isize::MIN),
            Action::Last => self.go(isize::MAX),
            Action::Show(view) => self.show(view),
            Action::OwnCost => {
                self.show(View::System);
                self.go(isize::MAX);
            }
            Action::Beside(steps) => self.show(self.views.shown.beside(steps)),
            Action::Palette => self.palette.open(),
            Action::Freeze => self.time.toggle(),
            Action::Step(steps) => self.time.step(steps),
            Action::Baseline => self.baseline(),
            Action::Filter if self.help.is_some() => {
                if let Some(help) = &mut self.help {
                    help.begin_search();
                }
            }
            // The actions below change a view that the help covers.
            _ if self.help.is_some() => return Step::Wait,
            Action::Open => self.views.open(),
            Action::Filter => self.editing = Some(QueryLine::begin(&self.filter)),
            Action::Ended => self.filter.with_ended = !self.filter.with_ended,
            Action::Sort(column) => self.views.sort(column),
            Action::SortBeside(steps) => self.views.sort_beside(steps),
            Action::Reverse => self.views.reverse(),
            Action::Columns => self.chooser = if self.chooser.is_some() { None } else { Some(0) },
            Action::Fold(folded) => self.views.fold(folded),
            Action::Zoom => self.views.zoom(),
            Action::FindingsOfRow => self.findings_of_row(),
            Action::CopyText => self.copy(copy::text),
            Action::CopyJson => self.copy(copy::json),
            Action::Save => self.effect = Some(Effect::Save(None)),
            Action::Record => self.effect = Some(Effect::Record(None)),
        }
        Step::Draw
    }

    /// Closes the topmost of what is open. Nothing is left to close if the notice says so.
    fn back(&mut self) {
        if self.help.take().is_some()
            || self.chooser.take().is_some()
            || self.time.leave()
            || self.views.back()
        {
            return;
        }
        if !self.filter.text().is_empty() {
            self.filter.set(String::new());
        } else if self.time.paused_since().is_some() {
            self.time.toggle();
        } else {
            self.notice = Some(format!("Nothing is open. {} quits.", self.keys.key_of("quit")));
        }
    }

    fn baseline(&mut self) {
        self.time.toggle_baseline();
        if self.time.baseline.is_some() {
            self.notice = Some(format!(
                "Baseline marked. {} shows the changes since.",
                self.keys.key_of("view changes")
            ));
        } else if self.views.shown == View::Changes {
            self.show(View::Processes);
        }
    }

    /// Shows the findings of the process under the cursor.
    fn findings_of_row(&mut self) {
        let pid = self.value_of_row("pid");
        match pid {
            Some(pid) => {
                self.filter.set(format!("pid = {pid}"));
                self.show(View::Findings);
            }
            None => self.notice = Some("The row names no process.".to_owned()),
        }
    }

    /// Returns the value of a column of the row under the cursor.
    fn value_of_row(&self, column: &str) -> Option<String> {
        let values = self.views.values(&self.shown);
        let found = values.into_iter().find(|(id, _)| *id == column);
        found.map(|(_, value)| value.text())
    }

    fn copy(&mut self, written: impl Fn(&[(&'static str, pintrace_model::field::Value<'_>)]) -> String) {
        let values = self.views.values(&self.shown);
        if values.is_empty() {
            self.notice = Some("There is no row to copy.".to_owned());
            return;
        }
        let text = written(&values);
        drop(values);
        self.effect = Some(Effect::Copy(text));
        self.notice = Some("Copied, if the terminal allows OSC 52.".to_owned());
    }

    /// Returns the snapshot on the screen, and its place in time.
    pub(in super::super) fn moment(&self) -> (&Snapshot, MomentWords) {
        (&self.shown, self.time.words())
    }
}

/// Returns true if an action can change which rows are shown, or their order.
const fn changes_rows(action: Action) -> bool {
    match action {
        Action::Quit
        | Action::Suspend
        | Action::Redraw
        | Action::Help
        | Action::Move(_)
        | Action::Page(_)
        | Action::First
        | Action::Last
        | Action::Open
        | Action::Palette
        | Action::Filter
        | Action::Columns
        | Action::CopyText
        | Action::CopyJson
        | Action::Save
        | Action::Record => false,
        Action::Back
        | Action::Show(_)
        | Action::OwnCost
        | Action::Beside(_)
        | Action::Freeze
        | Action::Step(_)
        | Action::Baseline
        | Action::Ended
        | Action::Sort(_)
        | Action::SortBeside(_)
        | Action::Reverse
        | Action::Fold(_)
        | Action::Zoom
        | Action::FindingsOfRow => true,
    }
}
