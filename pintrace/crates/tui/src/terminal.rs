//! The terminal while the view uses it: raw mode and alternate screen.
//!
//! The terminal is restored on drop, on a panic of any thread, and before the process stops. After SIGKILL the terminal
//! stays in raw mode, and the user can restore it with `reset`.

use std::cell::Cell;
use std::io::{self, IsTerminal, Stdout, Write};
use std::mem::ManuallyDrop;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{ExecutableCommand, QueueableCommand};
use ratatui::backend::CrosstermBackend;
use tokio::sync::Notify;

use super::signals::stop_process_group;

/// The terminal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// Standard output is a file or a pipe.
    #[error(
        "standard output is not a terminal: use `--once` for one table, `--once --json` for one JSON object"
    )]
    NoTerminal,
    /// A call on the terminal failed.
    #[error("the terminal cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// The terminal. Restored when dropped.
#[derive(Debug)]
pub(super) struct ViewTerminal {
    // Never dropped: the drop of ratatui shows the cursor, and panics if the terminal and with it standard error
    // no longer exist.
    screen: ManuallyDrop<ratatui::Terminal<CrosstermBackend<Stdout>>>,
    state: Arc<TerminalState>,
}

/// The state that the panic hook and [`ViewTerminal`] share.
#[derive(Debug, Default)]
struct TerminalState {
    taken: AtomicBool,
    /// The terminal reports the mouse while it is taken.
    mouse: bool,
    panicked: Notify,
    /// Held while the view draws.
    drawing: Mutex<()>,
}

/// Maximum time for which a restore waits for the end of a draw. A terminal that does not read blocks the draw.
const DRAW_TIME: Duration = Duration::from_secs(1);

thread_local! {
    /// The thread is inside a draw, and holds [`TerminalState::drawing`].
    static DRAWS: Cell<bool> = const { Cell::new(false) };
}

/// The permission to draw. Ends when dropped.
struct Drawing<'a>(#[expect(dead_code, reason = "held until the draw ends")] MutexGuard<'a, ()>);

impl Drop for Drawing<'_> {
    fn drop(&mut self) {
        DRAWS.set(false);
    }
}

impl TerminalState {
    /// Returns the permission to draw; `None` if the terminal is restored. A draw after the restore would hide the cursor
    /// again.
    fn begin_draw(&self) -> Option<Drawing<'_>> {
        let guard = self.drawing.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.taken.load(Ordering::SeqCst) {
            return None;
        }
        DRAWS.set(true);
        Some(Drawing(guard))
    }

    /// Waits until no other thread draws, at most for [`DRAW_TIME`].
    fn wait_for_draw(&self) -> Option<MutexGuard<'_, ()>> {
        if DRAWS.get() {
            // The draw itself has panicked.
            return None;
        }
        let end = Instant::now() + DRAW_TIME;
        loop {
            match self.drawing.try_lock() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() >= end => return None,
                Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Restores the terminal, unless it is restored already.
    fn restore(&self) {
        let _no_draw = self.wait_for_draw();
        if self.taken.swap(false, Ordering::SeqCst) {
            // An error has no remedy here: the terminal may no longer exist.
            let mut stdout = io::stdout();
            if self.mouse {
                let _ = stdout.queue(DisableMouseCapture);
            }
            let _ = stdout
                .queue(LeaveAlternateScreen)
                .and_then(|stdout| stdout.queue(Show))
                .and_then(Write::flush);
            let _ = disable_raw_mode();
        }
    }
}

impl ViewTerminal {
    /// Takes the terminal, and the mouse if `mouse`. Without the mouse, the terminal itself selects text.
    pub(super) fn take(mouse: bool) -> Result<Self, TerminalError> {
        if !io::stdout().is_terminal() {
            return Err(TerminalError::NoTerminal);
        }
        let state = Arc::new(TerminalState {
            mouse,
            ..TerminalState::default()
        });
        let hooked = state.clone();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // The terminal is restored before the message, which would disappear with the alternate screen.
            hooked.restore();
            previous(panic);
            hooked.panicked.notify_one();
        }));
        let screen = ratatui::Terminal::new(CrosstermBackend::new(io::stdout()))?;
        let screen = ManuallyDrop::new(screen);
        let mut terminal = Self { screen, state };
        terminal.enter()?;
        Ok(terminal)
    }

    fn enter(&mut self) -> io::Result<()> {
        // Set before the first step, so that drop restores the terminal after a failure between the steps.
        self.state.taken.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        let mut stdout = io::stdout();
        stdout.execute(EnterAlternateScreen)?;
        if self.state.mouse {
            stdout.execute(EnableMouseCapture)?;
        }
        stdout.execute(Hide)?;
        self.clear()
    }

    /// Clears the screen, so that the next draw draws every cell. Does nothing after a panic.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let Some(_drawing) = self.state.begin_draw() else {
            return Ok(());
        };
        // `clear` would query the cursor position, and some terminals do not answer.
        let size = self.screen.size()?;
        self.screen.resize(size.into())
    }

    /// Draws the cells that have changed. Does nothing after a panic, whose hook has restored the terminal.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        let Some(_drawing) = self.state.begin_draw() else {
            return Ok(());
        };
        self.screen.draw(draw).map(|_| ())
    }

    /// Restores the terminal and stops the process group until the shell continues it.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        self.state.restore();
        stop_process_group()?;
        self.enter()
    }

    /// Takes the terminal again after the process was continued.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        // Entering raw mode again saves the modes that the shell has set in the meantime.
        disable_raw_mode()?;
        self.enter()
    }

    /// Waits until a thread has panicked. The hook has restored the terminal then.
    pub(super) async fn panicked(&self) {
        self.state.panicked.notified().await;
    }
}

impl Drop for ViewTerminal {
    fn drop(&mut self) {
        self.state.restore();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn taken() -> TerminalState {
        let state = TerminalState::default();
        state.taken.store(true, Ordering::SeqCst);
        state
    }

    #[test]
    fn nothing_is_drawn_after_the_restore() {
        let state = taken();
        assert!(state.begin_draw().is_some());
        state.taken.store(false, Ordering::SeqCst);
        assert!(state.begin_draw().is_none());
    }

    #[test]
    fn a_restore_waits_for_the_draw_of_another_thread() {
        let state = taken();
        let (drawn, end) = mpsc::channel();
        thread::scope(|scope| {
            let drawing = state.begin_draw().unwrap();
            let state = &state;
            scope.spawn(move || {
                let guard = state.wait_for_draw();
                drawn.send(guard.is_some()).unwrap();
            });
            assert!(end.try_recv().is_err());
            drop(drawing);
            assert!(end.recv().unwrap());
        });
    }

    #[test]
    fn a_panic_inside_the_draw_does_not_wait() {
        let state = taken();
        let _drawing = state.begin_draw().unwrap();
        assert!(state.wait_for_draw().is_none());
    }
}
