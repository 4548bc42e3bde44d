//! The state of `top`: the moment, the filter, the views, and what covers them.
//!
//! This module turns keys and clicks into state. It must know neither the terminal nor the layout of a screen.

mod actions;
mod commands;
pub(super) use self::commands::COMMANDS;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};

use pintrace_events::units::Pid;
use pintrace_model::snapshot::Snapshot;

use super::clicks::{Click, Clicks};
use super::filter::Filter;
use super::help::HelpScreen;
use super::keymap::{KeyEffect, KeyScreen, Remapped};
use super::options::{KeyBinding, ReadLockedMemory, ViewOptions};
use super::palette::{Palette, PaletteStep};
use super::query_line::{Edited, QueryLine};
use super::recorder::RecordedFile;
use super::replay::ReplayFrame;
use super::time::Timeline;
use super::view::View;
use super::views::Views;

/// Lines by which the wheel of the mouse scrolls.
const WHEEL: isize = 3;

/// The next step of the loop after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing changed.
    Wait,
    /// Draw again.
    Draw,
    /// Draw every cell again: the terminal may no longer show what was drawn.
    Redraw,
    /// Stop the process until the shell continues it.
    Suspend,
    /// Leave.
    Quit,
}

/// What the loop has to do outside the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Copy a text to the clipboard of the terminal.
    Copy(String),
    /// Write the snapshot on the screen to a file; to a file with a name of its own without a path.
    Save(Option<PathBuf>),
    /// Begin a recording, or end the one that is being written.
    Record(Option<PathBuf>),
}

/// The state.
#[derive(Debug, Default)]
pub(super) struct App {
    /// The snapshot on the screen.
    pub(super) shown: Arc<Snapshot>,
    pub(super) time: Timeline,
    pub(super) filter: Filter,
    pub(super) views: Views,
    /// The line on which the filter is edited.
    pub(super) editing: Option<QueryLine>,
    pub(super) palette: Palette,
    /// The cursor in the chooser of columns, while it is open.
    pub(super) chooser: Option<usize>,
    /// The help, while it is open. It covers the view.
    pub(super) help: Option<HelpScreen>,
    /// The keys of the configuration.
    pub(super) keys: Remapped,
    /// The places that react to the mouse, of the last draw.
    pub(super) clicks: Clicks,
    /// A line for the user, until the next key.
    pub(super) notice: Option<String>,
    /// What the loop has to do.
    pub(super) effect: Option<Effect>,
    /// Reads what a process may still pin.
    pub(super) locked_memory: Option<ReadLockedMemory>,
    /// The recording that is being written.
    pub(super) recording: Option<RecordedFile>,
    /// Lines of a page at the last draw.
    pub(super) page: usize,
}

impl App {
    /// Returns the state before the first snapshot.
    pub(super) fn of_pids(pids: Vec<Pid>) -> Self {
        Self {
            filter: Filter::of_pids(pids),
            ..Self::default()
        }
    }

    #[cfg(any(test, feature = "bench"))]
    pub(super) fn new(snapshot: Arc<Snapshot>, pids: Vec<Pid>) -> Self {
        let mut app = Self::of_pids(pids);
        app.take(snapshot);
        app
    }

    /// Takes what the options say of the beginning.
    pub(super) fn configure(&mut self, options: &ViewOptions) {
        self.locked_memory = options.locked_memory;
        self.filter.set(options.filter.clone());
        self.filter.with_ended = options.with_ended;
        self.keys = Remapped(options.keys.iter().map(KeyBinding::remapped).collect());
        for (view, columns) in &options.columns {
            self.views.show_columns(*view, columns);
        }
        for (view, sort) in &options.sort {
            self.views.begin_sorted(*view, *sort);
        }
        self.views.shown = options.view;
        self.arrange();
    }

    /// Takes a new snapshot. Returns true if the screen changes.
    pub(super) fn take(&mut self, snapshot: Arc<Snapshot>) -> bool {
        let changes = self.time.take(snapshot);
        if changes {
            self.arrange();
        }
        changes
    }

    /// Takes a moment of a replay.
    pub(super) fn take_frame(&mut self, frame: ReplayFrame) {
        self.time.take_frame(frame);
        self.arrange();
    }

    /// Acts on a key.
    pub(super) fn press(&mut self, key: &KeyEvent) -> Step {
        self.notice = None;
        if let Some(step) = self.edit(key) {
            return step;
        }
        match self.keys.effect(key, self.screen()) {
            None if self.help.is_none() && self.keys.needs_table(key, self.screen()) => {
                self.notice = Some("This view has no table.".to_owned());
                Step::Draw
            }
            None => Step::Wait,
            Some(KeyEffect::Act(action)) => self.act(action),
            Some(KeyEffect::Run(command)) => {
                let command = command.to_owned();
                self.run(&command)
            }
        }
    }

    /// Hands a key to the line that is edited or to the chooser. Returns `None` if the key is for the view.
    fn edit(&mut self, key: &KeyEvent) -> Option<Step> {
        if self.palette.is_open() {
            match self.palette.press(key, self.screen(), &self.keys) {
                PaletteStep::Open => return Some(Step::Draw),
                PaletteStep::Run(command) => return Some(self.run(&command)),
                PaletteStep::NotForPalette => return None,
            }
        }
        if let Some(help) = &mut self.help
            && help.edit(key)
        {
            return Some(Step::Draw);
        }
        if let Some(mut line) = self.editing.take() {
            let rows = (self.views.shown.row_kind(), &*self.shown);
            let edited = line.press(key, &mut self.filter, rows);
            self.editing = (edited != Edited::Done).then_some(line);
            if edited != Edited::NotForFilter {
                self.arrange();
                return Some(Step::Draw);
            }
        }
        let cursor = self.chooser?;
        if matches!(key.code, KeyCode::Enter | KeyCode::Char(' ')) {
            let column = self.views.columns().get(cursor).map(|choice| choice.id);
            if let Some(column) = column {
                self.views.toggle_column(column);
            }
            return Some(Step::Draw);
        }
        let steps = match key.code {
            KeyCode::Left | KeyCode::Char('<') => -1,
            KeyCode::Right | KeyCode::Char('>') => 1,
            _ => return None,
        };
        if let Some(column) = self.views.columns().get(cursor).map(|choice| choice.id) {
            self.views.move_column(column, steps);
            self.go(steps);
        }
        Some(Step::Draw)
    }

    /// Acts on the mouse.
    pub(super) fn click(&mut self, event: MouseEvent) -> Step {
        self.notice = None;
        match event.kind {
            MouseEventKind::ScrollDown => self.go(WHEEL),
            MouseEventKind::ScrollUp => self.go(-WHEEL),
            MouseEventKind::Down(MouseButton::Left) => match self.clicks.at(event.column, event.row) {
                Some(Click::Act(action)) => return self.act(action),
                Some(Click::Row(row)) => {
                    if self.views.point(row) {
                        self.views.open();
                    }
                }
                Some(Click::Column(column)) => {
                    self.views.sort(column);
                    self.arrange();
                }
                None => return Step::Wait,
            },
            _ => return Step::Wait,
        }
        Step::Draw
    }

    /// Returns the screen whose keys are in force.
    pub(super) fn screen(&self) -> KeyScreen {
        KeyScreen {
            view: self.views.shown,
            is_open: self.views.is_open(),
        }
    }

    /// Shows a view.
    fn show(&mut self, view: View) {
        self.help = None;
        self.chooser = None;
        self.views.shown = view;
    }

    /// Moves the cursor, or scrolls what is open.
    fn go(&mut self, lines: isize) {
        if let Some(help) = &mut self.help {
            help.position.go(lines);
        } else if let Some(cursor) = &mut self.chooser {
            *cursor = super::cursor::moved(*cursor, lines, self.views.columns().len());
        } else {
            self.views.go(lines);
        }
    }

    /// Chooses and orders the rows of the view for the snapshot on the screen.
    pub(super) fn arrange(&mut self) {
        self.shown = self.time.shown();
        let baseline = self.time.baseline.as_deref();
        self.views.arrange(&self.shown, baseline, &self.filter);
    }
}
