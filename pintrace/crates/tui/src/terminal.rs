//! The terminal while the view has it: raw mode, alternate screen, and the way back from each.
//!
//! The way back is taken on drop, on a panic of any thread, and before a suspension.
//! [`super::guardian`] takes it when this process is killed.

use std::io::{self, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{ExecutableCommand, QueueableCommand};
use ratatui::backend::CrosstermBackend;
use rustix::process::Signal;
use tokio::sync::Notify;

/// Why the terminal could not be had.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Output goes into a file or a pipe.
    #[error("standard output is no terminal: `--once` prints one table, `--json` one object")]
    NoTerminal,
    /// The terminal refused.
    #[error("the terminal cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// The terminal, until dropped.
#[derive(Debug)]
pub(super) struct Terminal {
    screen: ratatui::Terminal<CrosstermBackend<Stdout>>,
    state: Arc<TerminalState>,
}

/// What the panic hook shares with the terminal.
#[derive(Debug, Default)]
struct TerminalState {
    taken: AtomicBool,
    panicked: Notify,
}

impl TerminalState {
    /// Gives the terminal back, once.
    fn restore(&self) {
        if self.taken.swap(false, Ordering::SeqCst) {
            // Nobody is left to tell: the terminal may be gone, and that may be why we are here.
            let mut stdout = io::stdout();
            let _ = stdout
                .queue(LeaveAlternateScreen)
                .and_then(|stdout| stdout.queue(Show))
                .and_then(Write::flush);
            let _ = disable_raw_mode();
        }
    }
}

impl Terminal {
    /// Takes the terminal.
    pub(super) fn take() -> Result<Self, TerminalError> {
        if !io::stdout().is_terminal() {
            return Err(TerminalError::NoTerminal);
        }
        let state = Arc::new(TerminalState::default());
        let hooked = state.clone();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // First, or the message would go with the alternate screen.
            hooked.restore();
            previous(panic);
            hooked.panicked.notify_one();
        }));
        let screen = ratatui::Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let mut terminal = Self { screen, state };
        terminal.enter()?;
        Ok(terminal)
    }

    fn enter(&mut self) -> io::Result<()> {
        // Before the first step, so that a failure half way is undone by drop.
        self.state.taken.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        io::stdout().execute(EnterAlternateScreen)?.execute(Hide)?;
        // As `clear` does, without asking the terminal for its cursor: not every one answers.
        let size = self.screen.size()?;
        self.screen.resize(size.into())
    }

    /// Draws what has changed.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.screen.draw(draw).map(|_| ())
    }

    /// Stops this process and all of its group, as Ctrl-Z does elsewhere, until the shell continues them.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        self.state.restore();
        rustix::process::kill_current_process_group(Signal::TSTP)?;
        self.enter()
    }

    /// Takes the terminal anew, after somebody else stopped and continued this process.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        // What raw mode replaced before is what the shell wants back.
        disable_raw_mode()?;
        self.enter()
    }

    /// Waits until some thread has panicked: the screen is lost then.
    pub(super) async fn panicked(&self) {
        self.state.panicked.notified().await;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.state.restore();
    }
}
