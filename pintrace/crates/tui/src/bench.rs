//! The door for `cargo xtask bench tui`: draws frames into memory.

use std::convert::Infallible;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use pintrace_model::snapshot::Snapshot;

use super::app::App;
use super::screen;
use super::theme::Theme;

/// A view whose terminal is memory.
pub struct MemoryView {
    app: App,
    terminal: Terminal<TestBackend>,
}

impl MemoryView {
    /// Shows a snapshot on a terminal of `width` columns and `height` rows.
    pub fn new(snapshot: Arc<Snapshot>, width: u16, height: u16) -> Result<Self, Infallible> {
        Ok(Self {
            app: App::new(snapshot, Vec::new()),
            terminal: Terminal::new(TestBackend::new(width, height))?,
        })
    }

    /// Takes a new snapshot, as at each tick.
    pub fn take(&mut self, snapshot: Arc<Snapshot>) {
        self.app.take(snapshot);
    }

    /// Presses a key.
    pub fn press(&mut self, key: char) {
        self.app
            .press(&KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE));
    }

    /// Draws one frame.
    pub fn draw(&mut self) -> Result<(), Infallible> {
        let Self { app, terminal } = self;
        terminal
            .draw(|frame| screen::draw(app, frame, Theme::new(true)))
            .map(drop)
    }
}
