//! Reading: events in order, up to the end, a tear or the first damage.

use std::io::{self, Read};

use serde::Deserialize;

use pintrace_events::{Body, Event};

use super::compat::{self, Readability};
use super::format::{
    FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, FrameHeader, Invalid, KIND_EVENTS, MAGIC, checksum,
};

/// Why a recording cannot be read, or not further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is something else.
    #[error("not a pintrace recording: give a file that `pintrace record -o FILE` wrote")]
    NotARecording,
    /// Nothing is in it.
    #[error("empty: the recording ended before anything was recorded")]
    Empty,
    /// A newer pintrace wrote it.
    #[error(
        "a recording of format {0}, and this pintrace reads up to format {current}: use a newer pintrace",
        current = compat::CURRENT
    )]
    TooNew(u16),
    /// An older pintrace wrote it.
    #[error(
        "a recording of format {0}, and this pintrace reads from format {oldest} on: use an older pintrace",
        oldest = compat::OLDEST
    )]
    TooOld(u16),
    /// It is not what was written.
    #[error(
        "damaged in frame {frame} at byte {offset} ({what}): the {events} events before it are good; \
         copy the file again from where it was recorded"
    )]
    Damaged {
        /// Counted from 0.
        frame: u64,
        /// Where the frame begins.
        offset: u64,
        /// What does not fit.
        what: &'static str,
        /// Events read before.
        events: u64,
    },
    /// The input failed.
    #[error("cannot be read further, after {events} events: {source}")]
    Input {
        /// Events read before.
        events: u64,
        /// Why.
        source: io::Error,
    },
}

/// Reads a recording from any input: an iterator that ends after the last whole frame or the first error.
pub struct Reader<R: Read> {
    input: R,
    /// Frames begun.
    frame: u64,
    /// Where the current frame begins.
    offset: u64,
    /// Bytes read.
    position: u64,
    /// Decompressed payload of the current frame, and how far it is decoded.
    plain: Vec<u8>,
    decoded: usize,
    /// Events that the current frame still owes.
    owed: u32,
    events: u64,
    saw_stop: bool,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Reads the head; an error if this is no recording that can be read.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            input,
            frame: 0,
            offset: 0,
            position: 0,
            plain: Vec::new(),
            decoded: 0,
            owed: 0,
            events: 0,
            saw_stop: false,
            ended: false,
        };
        let mut bytes = [0; FILE_HEADER_BYTES];
        let filled = reader.fill(&mut bytes)?;
        if filled < FILE_HEADER_BYTES {
            let begun = MAGIC
                .iter()
                .zip(&bytes[..filled])
                .all(|(magic, byte)| magic == byte);
            return Err(if begun {
                ReadError::Empty
            } else {
                ReadError::NotARecording
            });
        }
        let header = FileHeader::decode(&bytes).map_err(|invalid| match invalid {
            Invalid::Magic => ReadError::NotARecording,
            Invalid::Crc | Invalid::Limit => reader.damaged("the checksum of the file's head"),
        })?;
        match compat::verdict(header.version) {
            Readability::Readable => Ok(reader),
            Readability::TooOld => Err(ReadError::TooOld(header.version)),
            Readability::TooNew => Err(ReadError::TooNew(header.version)),
        }
    }

    /// Events read so far.
    pub fn events_read(&self) -> u64 {
        self.events
    }

    /// The stream ended in order. False for a recording that was cut short, wherever the cut is; only
    /// meaningful once the iterator has ended.
    pub fn is_complete(&self) -> bool {
        self.saw_stop
    }

    fn next_event(&mut self) -> Result<Option<Event>, ReadError> {
        while self.owed == 0 {
            if self.decoded < self.plain.len() {
                return Err(self.damaged("more bytes than events"));
            }
            if !self.next_frame()? {
                return Ok(None);
            }
        }
        let mut rest = &self.plain[self.decoded..];
        let event = Event::deserialize(&mut rmp_serde::Deserializer::new(&mut rest));
        let event = event.map_err(|_| self.damaged("an event that this version does not understand"))?;
        self.decoded = self.plain.len() - rest.len();
        self.owed -= 1;
        self.events += 1;
        self.saw_stop = matches!(event.body, Body::Stopped(_));
        Ok(Some(event))
    }

    /// Reads a frame; false at the end, be it in order or a tear.
    fn next_frame(&mut self) -> Result<bool, ReadError> {
        self.offset = self.position;
        let mut head = [0; FRAME_HEADER_BYTES];
        if self.fill(&mut head)? < FRAME_HEADER_BYTES {
            return Ok(false);
        }
        let header = match FrameHeader::decode(&head) {
            Ok(header) => header,
            // A crash can leave a file that was lengthened and never filled.
            Err(_) if head == [0; FRAME_HEADER_BYTES] && self.rest_is_zero()? => return Ok(false),
            Err(Invalid::Limit) => return Err(self.damaged("a frame larger than any")),
            Err(_) => return Err(self.damaged("the checksum of a frame's head")),
        };
        let Some(payload) = self.payload(header)? else {
            return Ok(false);
        };
        if checksum(&payload) != header.payload_crc {
            return Err(self.damaged("the checksum of a frame's content"));
        }
        if header.kind == KIND_EVENTS {
            self.open_events(header, &payload)?;
        }
        self.frame += 1;
        Ok(true)
    }

    fn open_events(&mut self, header: FrameHeader, payload: &[u8]) -> Result<(), ReadError> {
        if header.first != self.events {
            return Err(self.damaged("frames are missing or out of order"));
        }
        let capacity = usize::try_from(header.plain_bytes).unwrap_or(0);
        self.plain = zstd::bulk::decompress(payload, capacity)
            .map_err(|_| self.damaged("content that cannot be decompressed"))?;
        if self.plain.len() != capacity {
            return Err(self.damaged("content of another length"));
        }
        self.decoded = 0;
        self.owed = header.events;
        Ok(())
    }

    /// `None` when the file ends within it.
    fn payload(&mut self, header: FrameHeader) -> Result<Option<Vec<u8>>, ReadError> {
        let length = usize::try_from(header.payload_bytes).unwrap_or(0);
        let mut payload = vec![0; length];
        let filled = self.fill(&mut payload)?;
        Ok((filled == length).then_some(payload))
    }

    /// Fills as much of `buffer` as there is input for.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(ReadError::Input {
                        events: self.events,
                        source,
                    });
                }
            }
        }
        self.position += u64::try_from(filled).unwrap_or(0);
        Ok(filled)
    }

    fn rest_is_zero(&mut self) -> Result<bool, ReadError> {
        let mut chunk = [0; 4096];
        loop {
            let filled = self.fill(&mut chunk)?;
            if chunk[..filled].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            if filled < chunk.len() {
                return Ok(true);
            }
        }
    }

    fn damaged(&self, what: &'static str) -> ReadError {
        ReadError::Damaged {
            frame: self.frame,
            offset: self.offset,
            what,
            events: self.events,
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_event().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
