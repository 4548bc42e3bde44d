//! The state of the model at a place in a recording.

use std::io::{self, Read, Seek};
use std::ops::ControlFlow;
use std::sync::Arc;

use pintrace_events::units::Nanos;
use pintrace_events::{Body, Event};
use pintrace_model::Model;
use pintrace_model::history::History;
use pintrace_record::{Place, ReadError, Reader};

use super::checkpoint::Checkpoints;
use super::kept::{KeptSnapshots, Shown};
use super::moments::{Moment, Moments};

/// Samples and processes of the history: 1 MiB.
const HISTORY: (usize, usize) = (600, 64);
/// Events between two questions whether to go on.
const PATIENCE: u64 = 1 << 10;

/// What events are applied to.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) model: Model,
    pub(super) history: History,
}

impl Default for State {
    fn default() -> Self {
        let (samples, processes) = HISTORY;
        Self {
            model: Model::default(),
            history: History::new(samples, processes),
        }
    }
}

/// A reader, and the state at its place.
pub(super) struct Cursor<R: Read> {
    reader: Reader<R>,
    begin: Place,
    state: State,
    checkpoints: Checkpoints,
    kept: KeptSnapshots,
    pub(super) moments: Moments,
    /// Time of the first event.
    first: Option<Nanos>,
    /// Latest time of an event.
    time: Nanos,
    /// The reader has failed, so the state is not that of its place.
    is_lost: bool,
}

impl<R: Read + Seek> Cursor<R> {
    /// Returns a cursor at the start of a recording.
    pub(super) fn new(reader: Reader<R>, moments: Moments, checkpoints: Checkpoints) -> Self {
        Self {
            begin: reader.place(),
            reader,
            state: State::default(),
            checkpoints,
            kept: KeptSnapshots::default(),
            moments,
            first: None,
            time: Nanos(0),
            is_lost: false,
        }
    }

    /// Reads the recording to its end, and lists the moments. `go_on` gets the number of bytes read, and ends the reading
    /// with `Break`. Returns an error if the recording is damaged: the moments before the damage are listed.
    pub(super) fn list(
        &mut self,
        mut go_on: impl FnMut(&mut Self, u64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        loop {
            let event = match self.reader.next() {
                Some(Ok(event)) => event,
                end => {
                    self.list_end();
                    return match end {
                        Some(Err(failure)) => Err(failure),
                        _ => Ok(ControlFlow::Continue(())),
                    };
                }
            };
            self.note_time(event.time);
            let is_moment = self.apply(&event);
            let place = self.reader.place();
            if is_moment {
                let moment = self.moment(place.events());
                self.moments.push(moment);
                self.keep(place.events());
                self.checkpoints
                    .offer(place, &self.state.model, &self.state.history);
            }
            let is_first = is_moment && self.moments.len() == 1;
            let read = self.reader.bytes_read();
            if (is_first || place.events().is_multiple_of(PATIENCE)) && go_on(self, read).is_break() {
                self.list_end();
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    /// Returns true if the recording has its end, which is known behind the last event.
    pub(super) fn is_complete(&self) -> bool {
        self.reader.is_complete()
    }

    /// Returns the number of events read.
    pub(super) fn events(&self) -> u64 {
        self.reader.events_read()
    }

    /// Returns what is shown at a moment. `go_on` gets the part of the work that is done, in per cent; `Break` leaves the work
    /// and gives nothing. The next call uses what was done.
    pub(super) fn go(
        &mut self,
        to: Moment,
        mut go_on: impl FnMut(u8) -> ControlFlow<()>,
    ) -> Result<Option<Shown>, ReadError> {
        if let Some(shown) = self.kept.at(to.events) {
            return Ok(Some(shown));
        }
        let gone = self.advance(to, &mut go_on);
        self.is_lost = gone.is_err();
        if self.is_lost {
            self.kept.clear();
        }
        gone
    }

    fn advance(
        &mut self,
        to: Moment,
        go_on: &mut impl FnMut(u8) -> ControlFlow<()>,
    ) -> Result<Option<Shown>, ReadError> {
        self.begin_before(to)?;
        let from = self.events();
        while self.events() < to.events {
            let Some(event) = self.reader.next().transpose()? else {
                return Err(ReadError::Input {
                    events: self.events(),
                    source: io::Error::other("the file has become shorter"),
                });
            };
            let is_moment = self.apply(&event);
            let events = self.events();
            if is_moment || events == to.events {
                self.keep(events);
            }
            let done = (events - from).saturating_mul(100) / to.events.saturating_sub(from).max(1);
            let done = u8::try_from(done).unwrap_or(100);
            if events.is_multiple_of(PATIENCE) && events < to.events && go_on(done).is_break() {
                return Ok(None);
            }
        }
        if self.kept.last() != Some(to.events) {
            self.keep(to.events);
        }
        Ok(self.kept.at(to.events))
    }

    /// Returns what is shown at the latest moment.
    pub(super) fn latest(&self) -> Option<Shown> {
        self.kept.at(self.kept.last()?)
    }

    /// Goes back to a checkpoint or to the start if the place is behind the moment, and forward to a checkpoint that is nearer
    /// to the moment.
    fn begin_before(&mut self, to: Moment) -> Result<(), ReadError> {
        let here = self.events();
        let nearest = self.checkpoints.before(to.events);
        let is_ahead = nearest.is_some_and(|(place, _)| place.events() > here);
        if here <= to.events && !is_ahead && !self.is_lost {
            return Ok(());
        }
        let (place, state) = match nearest {
            Some((place, state)) => (place, state.clone()),
            None => (self.begin, State::default()),
        };
        self.kept.clear();
        self.state = state;
        self.reader.seek(place)
    }

    /// Applies an event. Returns true at a moment.
    fn apply(&mut self, event: &Event) -> bool {
        self.state.model.apply(event);
        matches!(event.body, Body::Tick | Body::Stopped(_))
    }

    /// Keeps the snapshot of the place.
    fn keep(&mut self, events: u64) {
        let snapshot = Arc::new(self.state.model.snapshot());
        self.state.history.record(&snapshot);
        self.kept.push(events, snapshot, &self.state.history);
    }

    fn note_time(&mut self, time: Nanos) {
        self.first.get_or_insert(time);
        self.time = self.time.max(time);
    }

    fn moment(&self, events: u64) -> Moment {
        Moment {
            time: self.time.since(self.first.unwrap_or_default()),
            events,
        }
    }

    /// Lists the last event as a moment, if events follow the last tick.
    fn list_end(&mut self) {
        let events = self.events();
        if events > 0 && self.moments.last().is_none_or(|last| last.events < events) {
            let moment = self.moment(events);
            self.moments.push(moment);
            self.keep(events);
        }
    }
}
