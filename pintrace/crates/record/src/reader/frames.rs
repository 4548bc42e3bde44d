//! Reads the file header and the frames of a recording.

use std::io::{self, Read, Seek, SeekFrom};

use super::error::ReadError;
use crate::format::{
    FILE_HEADER_BYTES, FRAME_HEADER_BYTES, FileHeader, FrameHeader, Invalid, KIND_EVENTS, MAGIC, VERSION,
    checksum,
};

/// The number and the offset of a frame.
pub(super) type FrameAt = (u64, u64);

/// The frames of a recording.
pub(super) struct Frames<R> {
    input: R,
    /// The number of the next frame.
    number: u64,
    /// The offset of the current frame.
    offset: u64,
    /// Number of bytes read so far.
    pub(super) position: u64,
    /// Number of events decoded from the frames so far.
    pub(super) events: u64,
}

impl<R: Seek> Frames<R> {
    /// Goes to a frame of events, with the number of events before it.
    pub(super) fn seek(&mut self, (number, offset): FrameAt, events: u64) -> Result<(), ReadError> {
        (self.number, self.offset, self.position, self.events) = (number, offset, offset, events);
        let sought = self.input.seek(SeekFrom::Start(offset));
        sought.map_err(|source| ReadError::Input { events, source })?;
        Ok(())
    }
}

/// The decompressed payload of a frame of events.
pub(super) struct Payload {
    pub(super) plain: Vec<u8>,
    pub(super) events: u32,
}

impl<R: Read> Frames<R> {
    /// Reads the file header. Returns an error if the input is not a recording of format [`VERSION`].
    pub(super) fn new(input: R) -> Result<Self, ReadError> {
        let mut frames = Self {
            input,
            number: 0,
            offset: 0,
            position: 0,
            events: 0,
        };
        let mut bytes = [0; FILE_HEADER_BYTES];
        let filled = frames.fill(&mut bytes)?;
        if filled < FILE_HEADER_BYTES {
            let mut pairs = MAGIC.iter().zip(&bytes[..filled]);
            return Err(if pairs.all(|(magic, byte)| magic == byte) {
                ReadError::Empty
            } else {
                ReadError::NotARecording
            });
        }
        let header = FileHeader::decode(&bytes).map_err(|invalid| match invalid {
            Invalid::Magic => ReadError::NotARecording,
            Invalid::Crc | Invalid::Limit => frames.damaged("the checksum of the file header"),
        })?;
        match header.version {
            VERSION => Ok(frames),
            older if older < VERSION => Err(ReadError::TooOld(older)),
            newer => Err(ReadError::TooNew(newer)),
        }
    }

    /// Returns the frame of events that was read last.
    pub(super) fn current(&self) -> FrameAt {
        (self.number.saturating_sub(1), self.offset)
    }

    /// Reads the next frame of events. Returns `None` at the end of the input and before a partial frame.
    pub(super) fn next(&mut self) -> Result<Option<Payload>, ReadError> {
        loop {
            self.offset = self.position;
            let Some(header) = self.header()? else {
                return Ok(None);
            };
            let Some(payload) = self.payload(header)? else {
                return Ok(None);
            };
            if checksum(&payload) != header.payload_crc {
                return Err(self.damaged("the checksum of the frame's payload"));
            }
            let payload = match header.kind {
                KIND_EVENTS => Some(self.decompress(header, &payload)?),
                _ => None,
            };
            self.number += 1;
            if payload.is_some() {
                return Ok(payload);
            }
        }
    }

    /// Reads a frame header. Returns `None` if no whole header follows.
    fn header(&mut self) -> Result<Option<FrameHeader>, ReadError> {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        if self.fill(&mut bytes)? < FRAME_HEADER_BYTES {
            return Ok(None);
        }
        match FrameHeader::decode(&bytes) {
            Ok(header) => Ok(Some(header)),
            // After a crash a file can end in zeros, if the file system extended the file and did not write the data.
            Err(_) if bytes == [0; FRAME_HEADER_BYTES] && self.rest_is_zero()? => Ok(None),
            Err(Invalid::Limit) => Err(self.damaged("a frame that exceeds the limits")),
            Err(_) => Err(self.damaged("the checksum of the frame header")),
        }
    }

    /// Reads a payload. Returns `None` if the input ends within the payload.
    fn payload(&mut self, header: FrameHeader) -> Result<Option<Vec<u8>>, ReadError> {
        let length = usize::try_from(header.payload_bytes).unwrap_or(0);
        let mut payload = vec![0; length];
        let filled = self.fill(&mut payload)?;
        Ok((filled == length).then_some(payload))
    }

    fn decompress(&self, header: FrameHeader, payload: &[u8]) -> Result<Payload, ReadError> {
        if header.first != self.events {
            return Err(self.damaged("frames are missing or out of order"));
        }
        let capacity = usize::try_from(header.plain_bytes).unwrap_or(0);
        let plain = zstd::bulk::decompress(payload, capacity)
            .map_err(|_| self.damaged("a payload that cannot be decompressed"))?;
        if plain.len() != capacity {
            return Err(self.damaged("a payload of another length"));
        }
        Ok(Payload {
            plain,
            events: header.events,
        })
    }

    /// Fills the buffer up to the end of the input. Returns the number of bytes read.
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

    /// Returns an error that names the current frame.
    pub(super) fn damaged(&self, what: &'static str) -> ReadError {
        ReadError::Damaged {
            frame: self.number,
            offset: self.offset,
            what,
            events: self.events,
        }
    }
}
