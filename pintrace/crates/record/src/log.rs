//! The events of a session so far, in memory, and a file that takes them and those that follow.
//!
//! A recording that begins in the middle of a session would say nothing about its past. The log keeps the frames from the
//! first event on, up to a limit, so that the file is the same as that of a recording from the start.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use pintrace_events::Event;

use crate::file::WriteError;
use crate::writer::{EncodeError, Writer};

/// The frames of a session, and the file that takes them while there is one.
pub struct EventLog {
    writer: Writer<LogOutput>,
    /// Number of events that could not be encoded.
    refused: u64,
}

/// A recording that has ended, or is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// The file.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
    /// Number of events of the session that could not be encoded: the file lacks them.
    pub missing: u64,
}

/// Why a file cannot take the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log is no longer whole.
    #[error(
        "the events so far are more than the {} MiB that the view keeps; `pintrace record -o FILE` records from its own \
         start",
        limit >> 20
    )]
    Overflow {
        /// The limit in bytes.
        limit: usize,
    },
    /// The file cannot be created. A file that exists is never replaced.
    #[error("{}: cannot be created: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// No file is being written.
    #[error("nothing is being recorded")]
    Idle,
}

/// Takes whole frames.
struct LogOutput {
    /// All frames so far; `None` once they were more than the limit.
    kept: Option<Vec<u8>>,
    limit: usize,
    file: Option<OpenFile>,
    /// Why the last file could not be written.
    failure: Option<WriteError>,
}

struct OpenFile {
    path: PathBuf,
    output: File,
    bytes: u64,
    events: u64,
}

impl EventLog {
    /// Creates a log that keeps at most `limit` bytes of frames.
    pub fn new(limit: usize) -> io::Result<Self> {
        let output = LogOutput {
            kept: Some(Vec::new()),
            limit,
            file: None,
            failure: None,
        };
        Ok(Self {
            writer: Writer::new(output)?,
            refused: 0,
        })
    }

    /// Appends an event.
    pub fn append(&mut self, event: &Event) {
        if self.writer.append(event).is_err() {
            self.refused += 1;
        }
        let events = self.writer.written_events();
        if let Some(file) = &mut self.writer.output_mut().file {
            file.events = events;
        }
    }

    /// Begins a new file with all events so far. Events that follow are appended to it, and still kept. A file that is being
    /// written already goes on.
    ///
    /// The file needs no right but that to create it and to write to it: a session that writes it may have given up all
    /// others.
    pub fn record(&mut self, path: &Path) -> Result<(), LogError> {
        if self.file().is_some() {
            return Ok(());
        }
        self.writer.flush().map_err(|source| self.encode(path, source))?;
        let events = self.writer.written_events();
        let log = self.writer.output_mut();
        log.failure = None;
        let limit = log.limit;
        let kept = log.kept.as_ref().ok_or(LogError::Overflow { limit })?;
        let mut output = create(path).map_err(|source| LogError::Create {
            path: path.to_owned(),
            source,
        })?;
        if let Err(source) = output.write_all(kept) {
            // Whatever the file holds, a reader stops before the partial frame.
            let _ = std::fs::remove_file(path);
            return Err(failed(path, source, 0).into());
        }
        let bytes = u64::try_from(kept.len()).unwrap_or(u64::MAX);
        log.file = Some(OpenFile {
            path: path.to_owned(),
            output,
            bytes,
            events,
        });
        Ok(())
    }

    /// Ends the file with a last event, waits until it is on disk, and returns it.
    pub fn stop(&mut self, last: &Event) -> Result<LogFile, LogError> {
        let path = self.file().map(|file| file.path).unwrap_or_default();
        self.writer.flush().map_err(|source| self.encode(&path, source))?;
        let frame = self
            .writer
            .frame_of(last)
            .map_err(|source| self.encode(&path, source))?;
        self.writer.output_mut().append(&frame);
        self.finish()
    }

    /// Ends the file without a further event, waits until it is on disk, and returns it.
    pub fn finish(&mut self) -> Result<LogFile, LogError> {
        let missing = self.refused;
        let log = self.writer.output_mut();
        if let Some(failure) = log.failure.take() {
            return Err(failure.into());
        }
        let Some(file) = log.file.take() else {
            return Err(LogError::Idle);
        };
        let synced = file.output.sync_all();
        synced.map_err(|source| failed(&file.path, source, file.events))?;
        Ok(LogFile {
            path: file.path,
            bytes: file.bytes,
            missing,
        })
    }

    /// Returns the file that is being written.
    #[must_use]
    pub fn file(&self) -> Option<LogFile> {
        let file = self.writer.output().file.as_ref()?;
        Some(LogFile {
            path: file.path.clone(),
            bytes: file.bytes,
            missing: self.refused,
        })
    }

    /// Returns why the file could not be written further, once.
    pub fn take_failure(&mut self) -> Option<WriteError> {
        self.writer.output_mut().failure.take()
    }

    /// Puts the full device in the place of the file.
    #[cfg(test)]
    pub(crate) fn fill_disk(&mut self) {
        if let Some(file) = &mut self.writer.output_mut().file {
            file.output = OpenOptions::new().write(true).open("/dev/full").unwrap();
        }
    }

    fn encode(&self, path: &Path, source: EncodeError) -> WriteError {
        let path = path.to_owned();
        match source {
            EncodeError::Output(source) => failed(&path, source, self.writer.written_events()),
            source => WriteError::Event { path, source },
        }
    }
}

/// Creates a file that only its owner can read.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}

fn failed(path: &Path, source: io::Error, events: u64) -> WriteError {
    WriteError::Output {
        path: path.to_owned(),
        source,
        events,
    }
}

impl LogOutput {
    /// Appends a frame to the file. If the file cannot be written, it ends before the frame.
    fn append(&mut self, frame: &[u8]) {
        let Some(file) = &mut self.file else {
            return;
        };
        match file.output.write_all(frame) {
            Ok(()) => file.bytes += u64::try_from(frame.len()).unwrap_or(0),
            Err(source) => {
                // If truncation fails too, a reader still stops before the partial frame.
                let _ = file.output.set_len(file.bytes);
                self.failure = Some(failed(&file.path, source, file.events));
                self.file = None;
            }
        }
    }
}

impl Write for LogOutput {
    /// Takes a whole frame: the writer writes each frame at once.
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        if let Some(kept) = &mut self.kept {
            if kept.len() + frame.len() > self.limit {
                self.kept = None;
            } else {
                kept.extend_from_slice(frame);
            }
        }
        self.append(frame);
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
