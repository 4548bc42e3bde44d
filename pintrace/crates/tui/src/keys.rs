//! The events of the terminal: keys and resizes.

use std::future::poll_fn;
use std::io::{self, IsTerminal};
use std::pin::Pin;
use std::task::Poll;

use crossterm::event::{Event, EventStream};
use futures_core::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A stream of events that ends when the terminal is hung up.
#[derive(Debug)]
pub(super) struct Keys {
    events: EventStream,
    /// crossterm reads standard input if this is true, otherwise `/dev/tty`.
    stdin_is_terminal: bool,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            events: EventStream::new(),
            stdin_is_terminal: io::stdin().is_terminal(),
        }
    }

    /// Waits for the next event. `None` means that the terminal no longer exists.
    pub(super) async fn next(&mut self) -> Option<io::Result<Event>> {
        poll_fn(|context| {
            // crossterm would read the end of input repeatedly and never return.
            if self.stdin_is_terminal && hung_up() {
                return Poll::Ready(None);
            }
            Pin::new(&mut self.events).poll_next(context)
        })
        .await
    }
}

/// Returns true if standard input, a terminal, was hung up.
fn hung_up() -> bool {
    let stdin = io::stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::empty())];
    let now = Timespec::default();
    poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().contains(PollFlags::HUP)
}
