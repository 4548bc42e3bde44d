//! The live view of `pintrace top`: one loop over keys, snapshots and signals.
//!
//! The view reads only snapshots and the catalogue of the model. It must know neither the source of events nor other
//! views.

mod app;
#[cfg(feature = "bench")]
pub mod bench;
pub mod catalogue;
mod chooser;
mod clicks;
mod columns;
mod copy;
mod cursor;
mod effects;
mod filter;
#[cfg(test)]
mod fixture;
mod flow;
mod footer;
mod header;
mod help;
mod keymap;
mod keys;
mod labelled;
mod list;
pub mod look;
mod message;
mod options;
mod palette;
mod queries;
mod query_line;
mod rows;
mod screen;
#[cfg(test)]
mod screen_tests;
mod scroll;
mod signals;
mod stack;
mod system;
mod table;
mod tabs;
mod terminal;
mod theme;
mod time;
mod view;
mod views;

use std::io;
use std::sync::Arc;

use crossterm::event::{Event, KeyEventKind};
use tokio::sync::watch;

use pintrace_model::snapshot::Snapshot;

use self::app::{App, Step};
use self::keys::Keys;
use self::signals::{Received, Signals};
use self::terminal::ViewTerminal;

pub use self::options::{KeyBinding, KeyMistake, SaveSnapshot, Sort, ViewOptions};
pub use self::terminal::TerminalError;
pub use self::view::View;

/// The reason for the end of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// The user quit.
    Quit,
    /// A signal with this number asked for the end.
    Signal(i32),
    /// The sender of snapshots was dropped before the last snapshot said that the trace has stopped.
    SourceGone,
    /// Another thread panicked. Its message is on the terminal.
    Panicked,
}

/// Shows snapshots until the user or a signal ends the view. Restores the terminal before it returns.
pub async fn run(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    options: ViewOptions,
) -> Result<ExitReason, TerminalError> {
    let mut signals = Signals::new()?;
    let theme = options.look.theme;
    // The options say whether there are colours. crossterm would ask the environment once more.
    crossterm::style::force_color_output(true);
    let first = snapshots.borrow_and_update().clone();
    let mut app = App::new(first, options.pids.clone());
    app.configure(&options);
    let mut terminal = ViewTerminal::take(options.mouse)?;
    let mut keys = Keys::new();
    let mut connected = true;
    loop {
        terminal.draw(|frame| screen::draw(&mut app, frame, theme))?;
        // Repeats until the screen has to be drawn.
        loop {
            let step = tokio::select! {
                // A hangup is first a signal and then the end of input.
                biased;
                () = terminal.panicked() => return Ok(ExitReason::Panicked),
                received = signals.next() => match received {
                    Received::End(number) => return Ok(ExitReason::Signal(number)),
                    Received::Stop => Step::Suspend,
                    Received::Continue => { terminal.resume()?; Step::Draw }
                },
                event = keys.next() => react(&mut app, event)?,
                changed = snapshots.changed(), if connected => match changed {
                    Ok(()) if app.take(snapshots.borrow_and_update().clone()) => Step::Draw,
                    Ok(()) => Step::Wait,
                    // The last snapshot of a trace that has stopped remains on the screen.
                    Err(_) if snapshots.borrow().stopped => { connected = false; Step::Wait }
                    Err(_) => return Ok(ExitReason::SourceGone),
                },
            };
            if let Some(open) = &options.own_cost_open {
                open.send_replace(app.views.shown == View::System);
            }
            effects::apply(&mut app, options.save)?;
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

/// Acts on an event of the terminal. The end of input means that the terminal no longer exists.
fn react(app: &mut App, event: Option<io::Result<Event>>) -> io::Result<Step> {
    match event {
        None => Ok(Step::Quit),
        Some(Err(error)) => Err(error),
        Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => Ok(app.press(&key)),
        Some(Ok(Event::Mouse(mouse))) => Ok(app.click(mouse)),
        Some(Ok(Event::Resize(..))) => Ok(Step::Draw),
        Some(Ok(_)) => Ok(Step::Wait),
    }
}
