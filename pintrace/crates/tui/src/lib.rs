//! The view of `pintrace top` and `pintrace replay`: one loop over keys, snapshots and signals.
//!
//! The view reads only snapshots and the catalogue of the model. It must know neither the source of events nor other
//! views.

mod app;
mod ascii;
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
mod recorder;
mod replay;
mod rows;
mod screen;
#[cfg(test)]
mod screen_tests;
mod scroll;
mod signals;
mod source;
mod stack;
mod system;
mod table;
mod tabs;
mod terminal;
mod theme;
mod time;
mod typed_line;
mod view;
mod views;

use std::io;

use crossterm::event::{Event, KeyEventKind};

use self::app::{App, Step};
use self::keys::Keys;
use self::signals::{Received, Signals};
use self::source::Changed;
use self::terminal::ViewTerminal;

pub use self::options::{KeyBinding, KeyMistake, ReadLockedMemory, SaveSnapshot, Sort, ViewOptions};
pub use self::recorder::{RecordedFile, Recorder};
pub use self::replay::{ReplayFrame, ReplayRequest, ReplaySource, ReplayState, ReplayTarget, ReplayWork};
pub use self::source::Source;
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
pub async fn run(source: impl Into<Source>, options: ViewOptions) -> Result<ExitReason, TerminalError> {
    let mut signals = Signals::new()?;
    let theme = options.look.theme;
    // The options say whether there are colours. crossterm would ask the environment once more.
    crossterm::style::force_color_output(true);
    let mut source = source.into();
    let mut app = App::of_pids(options.pids.clone());
    source.begin(&mut app);
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
                is_alive = source.changed(), if connected => match source.update(is_alive, &mut app) {
                    Changed::Screen => Step::Draw,
                    Changed::Nothing => Step::Wait,
                    // The last snapshot of a trace that has stopped remains on the screen.
                    Changed::Gone if source.has_ended() => { connected = false; Step::Wait }
                    Changed::Gone => return Ok(ExitReason::SourceGone),
                },
            };
            if let Some(open) = &options.own_cost_open {
                open.send_replace(app.views.shown == View::System);
            }
            effects::apply(&mut app, &options)?;
            match step {
                Step::Wait => {}
                Step::Draw => break,
                Step::Redraw => {
                    terminal.clear()?;
                    break;
                }
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
        // Another size in between may have taken cells from the screen, also if the last drawing had the size of now.
        Some(Ok(Event::Resize(..))) => Ok(Step::Redraw),
        Some(Ok(_)) => Ok(Step::Wait),
    }
}
