//! The live view of `pintrace top`: one loop over keys, snapshots and signals.
//!
//! Reads the model's snapshots and its catalogue and nothing else; must not know where events come
//! from, nor any other view.

mod app;
mod cell;
mod detail;
mod findings;
#[cfg(test)]
mod fixture;
mod footer;
#[cfg(test)]
mod golden;
mod grid;
pub mod guardian;
mod header;
mod help;
mod keymap;
mod line_writer;
mod order;
mod pairs;
mod process_lists;
mod screen;
mod stack;
mod table;
mod tabs;
mod terminal;
mod theme;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_core::Stream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use pintrace_events::units::Pid;
use pintrace_model::snapshot::Snapshot;

use self::app::{App, Step};
use self::terminal::Terminal;
use self::theme::Theme;

pub use self::terminal::TerminalError;

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Show these processes only; empty shows all.
    pub pids: Vec<Pid>,
    /// Without colour, as `NO_COLOR` asks.
    pub monochrome: bool,
}

impl Options {
    /// Without colour if `NO_COLOR` is set and not empty.
    #[must_use]
    pub fn from_env(pids: Vec<Pid>) -> Self {
        let monochrome = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { pids, monochrome }
    }
}

/// Why the view ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// The user left.
    Quit,
    /// A signal of this number asked for the end.
    Signal(i32),
    /// The sender of snapshots went away before its stream had ended in order.
    SourceGone,
    /// Another thread panicked; its message is on the terminal.
    Panicked,
}

/// Shows snapshots until the user or a signal ends it. The terminal is restored on return.
pub async fn run(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    options: Options,
) -> Result<ExitReason, TerminalError> {
    let mut terminate = Terminations::new()?;
    let mut continued = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    let theme = Theme::new(!options.monochrome);
    let first = snapshots.borrow_and_update().clone();
    let mut app = App::new(first, options.pids);
    let mut terminal = Terminal::take()?;
    let mut keys = EventStream::new();
    let mut fed = true;
    loop {
        terminal.draw(|frame| screen::draw(&mut app, frame, theme))?;
        // Turns until there is something to draw.
        loop {
            let step = tokio::select! {
                event = next(&mut keys) => react(&mut app, event)?,
                changed = snapshots.changed(), if fed => match changed {
                    Ok(()) if app.take(snapshots.borrow_and_update().clone()) => Step::Draw,
                    Ok(()) => Step::Wait,
                    // What ended in order stays on the screen.
                    Err(_) if snapshots.borrow().stopped => { fed = false; Step::Wait }
                    Err(_) => return Ok(ExitReason::SourceGone),
                },
                number = terminate.next() => return Ok(ExitReason::Signal(number)),
                () = terminal.panicked() => return Ok(ExitReason::Panicked),
                Some(()) = continued.recv() => { terminal.resume()?; Step::Draw }
            };
            match step {
                Step::Wait => {}
                Step::Draw => break,
                Step::Quit => return Ok(ExitReason::Quit),
                Step::Suspend => {
                    terminal.suspend()?;
                    break;
                }
            }
        }
    }
}

async fn next(keys: &mut EventStream) -> Option<io::Result<Event>> {
    poll_fn(|context| Pin::new(&mut *keys).poll_next(context)).await
}

/// What a terminal event comes to. The end of input means that the terminal has gone.
fn react(app: &mut App, event: Option<io::Result<Event>>) -> io::Result<Step> {
    match event {
        None => Ok(Step::Quit),
        Some(Err(error)) => Err(error),
        Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => Ok(app.press(&key)),
        Some(Ok(Event::Resize(..))) => Ok(Step::Draw),
        Some(Ok(_)) => Ok(Step::Wait),
    }
}

/// The signals that ask for an end.
struct Terminations {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Terminations {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The number of the next one.
    async fn next(&mut self) -> i32 {
        let kind = tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        kind.as_raw_value()
    }
}
