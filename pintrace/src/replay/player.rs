//! The thread that reads a recording for the view.

mod inbox;

use std::io::{Read, Seek};
use std::ops::ControlFlow;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pintrace_events::units::Nanos;
use pintrace_record::{ReadError, Reader};
use pintrace_text::counted;
use pintrace_tui::{ReplayFrame, ReplayRequest, ReplaySource, ReplayTarget, ReplayWork};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use self::inbox::{Inbox, Received};
use super::checkpoint::Checkpoints;
use super::cursor::Cursor;
use super::kept::Shown;
use super::moments::Moments;

/// Work that takes longer is shown.
const LONG: Duration = Duration::from_millis(150);

/// What is known of a recording once it is left.
#[derive(Debug, Default)]
pub struct Ended {
    /// The error that ended the reading.
    pub failure: Option<ReadError>,
    /// The reading reached the end of the file, and the session's end is not there.
    pub is_cut_short: bool,
    /// Number of events that were read.
    pub events: u64,
}

/// Starts the thread. `size` is the size of the recording in bytes. The thread ends when the view is dropped.
pub fn start<R: Read + Seek + Send + 'static>(
    reader: Reader<R>,
    size: u64,
    handle: Handle,
) -> (ReplaySource, JoinHandle<Ended>) {
    let mut first = ReplayFrame::default();
    first.state.work = Some(ReplayWork::Reading(0));
    let (sender, frames) = watch::channel(first);
    let (requests, receiver) = mpsc::unbounded_channel();
    let mut player = Player {
        cursor: Cursor::new(reader, Moments::default(), Checkpoints::default()),
        frames: sender,
        inbox: Inbox::new(receiver, handle),
        size: size.max(1),
        shown: 0,
        wanted: 0,
        plays: false,
        due: None,
    };
    let thread = thread::spawn(move || player.run());
    (ReplaySource { frames, requests }, thread)
}

/// The state of the thread.
struct Player<R: Read> {
    cursor: Cursor<R>,
    frames: watch::Sender<ReplayFrame>,
    inbox: Inbox,
    size: u64,
    /// The index of the moment on the screen.
    shown: usize,
    /// The index of the moment that the user wants to see.
    wanted: usize,
    plays: bool,
    /// The time at which the next moment is due.
    due: Option<Instant>,
}

impl<R: Read + Seek> Player<R> {
    fn run(&mut self) -> Ended {
        let mut ended = self.read();
        loop {
            if let Err(failure) = self.go() {
                self.note_end(failure.to_string());
                ended.failure.get_or_insert(failure);
            }
            match self.inbox.wait(self.due) {
                Received::Request(request) => self.react(request),
                Received::Due => self.wanted = self.shown.saturating_add(1).min(self.last()),
                Received::Closed => return ended,
            }
        }
    }

    /// Reads the whole recording, and shows its first moment meanwhile.
    fn read(&mut self) -> Ended {
        let Self {
            cursor,
            frames,
            inbox,
            size,
            ..
        } = self;
        let listed = cursor.list(|cursor, bytes| {
            let done = percent(bytes, *size);
            let length = cursor.moments.last().map_or(Nanos(0), |last| last.time);
            let first = (cursor.moments.len() == 1).then(|| cursor.latest()).flatten();
            frames.send_if_modified(|frame| {
                let is_new = frame.state.work != Some(ReplayWork::Reading(done)) || first.is_some();
                frame.state.work = Some(ReplayWork::Reading(done));
                frame.state.length = length;
                if let Some(shown) = first {
                    (frame.snapshot, frame.history) = (shown.snapshot, shown.history);
                }
                is_new
            });
            inbox.go_on_reading()
        });
        let events = self.cursor.events();
        let is_complete = self.cursor.is_complete();
        let mut ended = Ended {
            events,
            ..Ended::default()
        };
        match listed {
            Err(failure) => {
                self.note_end(failure.to_string());
                ended.failure = Some(failure);
            }
            Ok(ControlFlow::Break(())) => {
                self.note_end(format!("read up to here only, {}", counted(events, "event")));
            }
            Ok(ControlFlow::Continue(())) if !is_complete => {
                ended.is_cut_short = true;
                let events = counted(events, "event");
                self.note_end(format!(
                    "cut short after {events}: the end of the session is missing"
                ));
            }
            Ok(ControlFlow::Continue(())) => {}
        }
        ended
    }

    /// Takes a request.
    fn react(&mut self, request: ReplayRequest) {
        let last = self.last();
        match request {
            ReplayRequest::Toggle => {
                self.plays = !self.plays;
                if self.plays && self.wanted >= last {
                    self.wanted = 0;
                }
            }
            ReplayRequest::Step(steps) => {
                self.plays = false;
                self.wanted = self.wanted.saturating_add_signed(steps).min(last);
            }
            ReplayRequest::To(target) => {
                let length = self.cursor.moments.last().map_or(Nanos(0), |last| last.time);
                self.wanted = match target {
                    ReplayTarget::Start => 0,
                    ReplayTarget::End => last,
                    ReplayTarget::After(time) => self.cursor.moments.at(time),
                    ReplayTarget::BeforeEnd(time) => self.cursor.moments.at(length.since(time)),
                };
            }
            ReplayRequest::Leave => (self.wanted, self.plays) = (self.shown, false),
        }
    }

    /// Shows the wanted moment. Requests that arrive meanwhile are taken.
    fn go(&mut self) -> Result<(), ReadError> {
        let mut result = Ok(());
        while let Some(to) = self.cursor.moments.get(self.wanted) {
            let begun = Instant::now();
            let Self {
                cursor,
                frames,
                inbox,
                ..
            } = self;
            let gone = cursor.go(to, |done| {
                if begun.elapsed() >= LONG {
                    let work = Some(ReplayWork::Going(done));
                    frames.send_if_modified(|frame| {
                        let is_new = frame.state.work != work;
                        frame.state.work = work;
                        is_new
                    });
                }
                inbox.go_on()
            });
            match gone {
                Ok(Some(shown)) => {
                    self.shown = self.wanted;
                    self.show(Some(shown));
                    break;
                }
                Ok(None) => {
                    let Some(request) = self.inbox.take() else {
                        break;
                    };
                    self.react(request);
                    if self.wanted == self.shown {
                        break;
                    }
                }
                Err(failure) => {
                    (self.wanted, self.plays) = (self.shown, false);
                    result = Err(failure);
                    break;
                }
            }
        }
        self.plays &= self.shown < self.last();
        self.due = self.next_due();
        self.show(None);
        result
    }

    /// Sends the state of the replay, and what is shown at a new moment.
    fn show(&mut self, shown: Option<Shown>) {
        let time = |index| {
            self.cursor
                .moments
                .get(index)
                .map_or(Nanos(0), |moment| moment.time)
        };
        let (position, length) = (time(self.shown), time(self.last()));
        let plays = self.plays;
        self.frames.send_modify(|frame| {
            if let Some(shown) = shown {
                (frame.snapshot, frame.history) = (shown.snapshot, shown.history);
            }
            let state = &mut frame.state;
            (state.position, state.length, state.plays) = (position, length, plays);
            state.work = None;
        });
    }

    fn note_end(&mut self, why: String) {
        self.frames
            .send_modify(|frame| frame.state.early_end = Some(why.into()));
    }

    /// Returns the time at which the next moment is due.
    fn next_due(&self) -> Option<Instant> {
        let shown = self.cursor.moments.get(self.shown)?;
        let next = self.cursor.moments.get(self.shown + 1).filter(|_| self.plays)?;
        let now = Instant::now();
        let wait = Duration::from_nanos(next.time.since(shown.time).0);
        // A recording may be forged to wait for centuries.
        Some(now.checked_add(wait).unwrap_or(now))
    }

    fn last(&self) -> usize {
        self.cursor.moments.len().saturating_sub(1)
    }
}

fn percent(part: u64, whole: u64) -> u8 {
    u8::try_from(part.saturating_mul(100) / whole.max(1)).map_or(100, |done| done.min(100))
}
