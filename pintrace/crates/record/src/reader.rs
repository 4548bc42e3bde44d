//! Reads events in order, up to the end of the recording, a partial frame or the first damage.

mod error;
mod frames;
mod place;

use std::io::Read;

use serde::Deserialize;

use pintrace_events::{Body, Event};

pub use self::error::ReadError;
use self::frames::{Frames, Payload};
use self::place::FramePlace;
pub use self::place::Place;

/// Reads a recording from any input. The iterator ends after the last whole frame or the first error.
pub struct Reader<R: Read> {
    frames: Frames<R>,
    /// The decompressed payload of the current frame.
    plain: Vec<u8>,
    /// Number of bytes of `plain` that are decoded.
    decoded: usize,
    /// Number of events of the current frame that are not decoded yet.
    remaining: u32,
    /// The current frame; `None` before the first.
    frame: Option<FramePlace>,
    saw_stop: bool,
    has_ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the file header. Returns an error if the input is not a recording of format
    /// [`VERSION`](super::format::VERSION).
    pub fn new(input: R) -> Result<Self, ReadError> {
        Ok(Self {
            frames: Frames::new(input)?,
            plain: Vec::new(),
            decoded: 0,
            remaining: 0,
            frame: None,
            saw_stop: false,
            has_ended: false,
        })
    }

    /// Returns the number of events read so far.
    pub fn events_read(&self) -> u64 {
        self.frames.events
    }

    /// Returns true if the last event read is the end of the stream, and false for a recording that was cut short. The
    /// result is final once the iterator has ended.
    pub fn is_complete(&self) -> bool {
        self.saw_stop
    }

    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        while self.remaining == 0 {
            if self.decoded < self.plain.len() {
                return Err(self.frames.damaged("more bytes than events"));
            }
            let Some(Payload { plain, events }) = self.frames.next()? else {
                return Ok(None);
            };
            (self.plain, self.decoded, self.remaining) = (plain, 0, events);
            self.frame = Some(FramePlace {
                at: self.frames.current(),
                before: self.frames.events,
            });
        }
        let mut rest = &self.plain[self.decoded..];
        let event = Event::deserialize(&mut rmp_serde::Deserializer::new(&mut rest));
        let event = event.map_err(|_| {
            self.frames
                .damaged("an event that this version does not understand")
        })?;
        self.decoded = self.plain.len() - rest.len();
        self.remaining -= 1;
        self.frames.events += 1;
        self.saw_stop = matches!(event.body, Body::Stopped(_));
        Ok(Some(event))
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.next_event().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}
