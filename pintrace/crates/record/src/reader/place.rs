//! Places in a recording to which a reader can return.

use std::io::{Read, Seek};

use super::frames::FrameAt;
use super::{ReadError, Reader};
use crate::format::FILE_HEADER_BYTES;

/// A place between two events of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of events before the place.
    events: u64,
    /// The frame of the event before the place; `None` at the beginning.
    frame: Option<FramePlace>,
}

/// A frame, and the number of events before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FramePlace {
    pub(super) at: FrameAt,
    pub(super) before: u64,
}

/// The first frame, behind the file header.
const FRAME_0: FramePlace = FramePlace {
    at: (0, FILE_HEADER_BYTES as u64),
    before: 0,
};

impl Place {
    /// Returns the number of events before the place.
    #[must_use]
    pub fn events(self) -> u64 {
        self.events
    }
}

impl<R: Read> Reader<R> {
    /// Returns the place before the next event.
    pub fn place(&self) -> Place {
        Place {
            events: self.frames.events,
            frame: self.frame,
        }
    }

    /// Returns the number of bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.frames.position
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Goes to a place in the same recording. The iterator then gives the events behind the place, or an error if the
    /// recording has changed since.
    pub fn seek(&mut self, place: Place) -> Result<(), ReadError> {
        self.plain.clear();
        (self.decoded, self.remaining) = (0, 0);
        self.saw_stop = false;
        self.has_ended = true;
        self.frame = place.frame;
        let FramePlace { at, before } = place.frame.unwrap_or(FRAME_0);
        self.frames.seek(at, before)?;
        self.has_ended = false;
        while self.frames.events < place.events {
            if self.next_event()?.is_none() {
                self.has_ended = true;
                return Err(self.frames.damaged("the recording has changed"));
            }
        }
        Ok(())
    }
}
