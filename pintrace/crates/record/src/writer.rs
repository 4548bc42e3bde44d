//! Gathers events into frames and writes the frames.

use std::io::{self, Write};

use serde::Serialize;

use pintrace_events::{Body, Event};

use super::format::{
    COMPRESSION_LEVEL, FRAME_BYTES, FileHeader, FrameHeader, KIND_EVENTS, MAX_PLAIN_BYTES, VERSION, checksum,
};

/// Why an event was not written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The output failed.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// The event is larger than any frame; other events can still be written.
    #[error("an event of {0} bytes is larger than a recording can hold ({MAX_PLAIN_BYTES} bytes)")]
    TooLarge(usize),
    /// The event cannot be encoded.
    #[error("an event cannot be encoded: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
}

/// Writes a recording to any output. After each flush, the output is a valid recording. A failed output may end in a
/// partial frame; the caller truncates the output to [`Self::written_bytes`].
pub struct Writer<W: Write> {
    output: W,
    compressor: zstd::bulk::Compressor<'static>,
    /// The encoded events of the current frame.
    pending: Vec<u8>,
    pending_events: u32,
    /// Size of the file header and of all whole frames in bytes.
    written_bytes: u64,
    written_events: u64,
}

impl<W: Write> Writer<W> {
    /// Creates a writer. The writer writes no bytes before the first frame is full or flushed.
    pub fn new(output: W) -> io::Result<Self> {
        Ok(Self {
            output,
            compressor: zstd::bulk::Compressor::new(COMPRESSION_LEVEL)?,
            pending: Vec::with_capacity(FRAME_BYTES),
            pending_events: 0,
            written_bytes: 0,
            written_events: 0,
        })
    }

    /// Appends an event. A tick and the end of the stream also flush, so that the file holds each event that a view has
    /// shown.
    pub fn append(&mut self, event: &Event) -> Result<(), EncodeError> {
        let before = self.pending.len();
        let mut serializer = rmp_serde::Serializer::new(&mut self.pending).with_struct_map();
        if let Err(error) = event.serialize(&mut serializer) {
            self.pending.truncate(before);
            return Err(error.into());
        }
        self.make_room(before)?;
        self.pending_events += 1;
        let due = self.pending.len() >= FRAME_BYTES || matches!(event.body, Body::Tick | Body::Stopped(_));
        if due { self.flush() } else { Ok(()) }
    }

    /// Writes the current frame.
    pub fn flush(&mut self) -> Result<(), EncodeError> {
        let plain_bytes = self.pending.len();
        self.flush_first(plain_bytes)
    }

    /// Returns the number of events in whole frames so far.
    pub fn written_events(&self) -> u64 {
        self.written_events
    }

    /// Returns the size of the file header and of all whole frames so far in bytes.
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Returns the output.
    pub fn output(&self) -> &W {
        &self.output
    }

    pub(crate) fn output_mut(&mut self) -> &mut W {
        &mut self.output
    }

    /// Returns a frame with one event, as it would follow the frames so far, and writes nothing. No event may be pending.
    pub(crate) fn frame_of(&mut self, event: &Event) -> Result<Vec<u8>, EncodeError> {
        let mut plain = Vec::new();
        event.serialize(&mut rmp_serde::Serializer::new(&mut plain).with_struct_map())?;
        self.frame(&plain, 1)
    }

    /// Writes the current frame and returns the output.
    pub fn finish(mut self) -> Result<W, EncodeError> {
        self.flush()?;
        Ok(self.output)
    }

    /// Ends the frame before the event that begins at `before`, if the frame would become too large with this event.
    fn make_room(&mut self, before: usize) -> Result<(), EncodeError> {
        let limit = usize::try_from(MAX_PLAIN_BYTES).unwrap_or(usize::MAX);
        let size = self.pending.len() - before;
        if size > limit {
            self.pending.truncate(before);
            return Err(EncodeError::TooLarge(size));
        }
        if self.pending.len() > limit {
            self.flush_first(before)
        } else {
            Ok(())
        }
    }

    /// Writes the first `plain_bytes` pending bytes, which hold `pending_events` events, as a frame.
    fn flush_first(&mut self, plain_bytes: usize) -> Result<(), EncodeError> {
        if self.pending_events == 0 {
            return Ok(());
        }
        let plain = std::mem::take(&mut self.pending);
        let bytes = self.frame(&plain[..plain_bytes], self.pending_events);
        self.pending = plain;
        let bytes = bytes?;
        self.output.write_all(&bytes)?;
        self.output.flush()?;
        self.written_bytes += u64::from(length(&bytes));
        self.written_events += u64::from(self.pending_events);
        self.pending.drain(..plain_bytes);
        self.pending_events = 0;
        Ok(())
    }

    /// Returns the frame that follows, with the file header if it is the first.
    fn frame(&mut self, plain: &[u8], events: u32) -> Result<Vec<u8>, EncodeError> {
        let payload = self.compressor.compress(plain)?;
        let header = FrameHeader {
            payload_bytes: length(&payload),
            plain_bytes: length(plain),
            kind: KIND_EVENTS,
            events,
            first: self.written_events,
            payload_crc: checksum(&payload),
        };
        let mut bytes = Vec::new();
        if self.written_bytes == 0 {
            bytes.extend_from_slice(&FileHeader { version: VERSION }.encode());
        }
        bytes.extend_from_slice(&header.encode());
        bytes.extend_from_slice(&payload);
        Ok(bytes)
    }
}

/// Returns the length of `bytes`, which the limits keep far below 4 GiB.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
