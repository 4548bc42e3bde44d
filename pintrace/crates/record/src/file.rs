//! A recording in a file: what may be overwritten, and what stays when the disk is full.
//!
//! The file is opened at once, so that a wrong path is told before anything is traced, and emptied
//! only with the first whole frame, so that a start that fails destroys nothing.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use pintrace_events::Event;

use super::format::MAGIC;
use super::writer::{EncodeError, Writer};

/// What to do with a file that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Replace a recording and an empty file, keep anything else.
    #[default]
    KeepForeign,
    /// Replace whatever it is.
    Replace,
}

/// Why no recording was begun.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The file holds something else.
    #[error("{}: exists and is no recording, so it is left alone: choose another file, or pass --force", .0.display())]
    Foreign(PathBuf),
    /// Another recording is under way.
    #[error("{}: another pintrace is writing to it: choose another file", .0.display())]
    Busy(PathBuf),
    /// The system refuses.
    #[error("{}: cannot be written: {source}; choose another place with -o FILE", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why an event is not on file.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file takes no more; what is on it remains a recording.
    #[error(
        "{}: recording stopped: {source}; the {events} events before are kept. {}",
        path.display(),
        remedy(source)
    )]
    Output {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// Events on file.
        events: u64,
    },
    /// This event alone has no place; the next may have.
    #[error("{}: {source}", path.display())]
    Event {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: EncodeError,
    },
    /// The file took no more before; said once for each event, so that they can be counted.
    #[error("{}: recording has stopped", .0.display())]
    Stopped(PathBuf),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "Free some space, or record to another file system with -o FILE",
        io::ErrorKind::QuotaExceeded => "Raise the quota, or record to another file system with -o FILE",
        io::ErrorKind::FileTooLarge => "Raise `ulimit -f`, or record for a shorter time",
        _ => "Record to another place with -o FILE",
    }
}

/// A recording under way.
pub struct Recording {
    path: PathBuf,
    writer: Writer<Output>,
    /// This recording made the file, so an empty one may go.
    created: bool,
    stopped: bool,
    /// Events given to it.
    taken: u64,
    /// Events refused one by one.
    refused: u64,
}

impl Recording {
    /// Opens the file; nothing of it changes before the first frame.
    pub fn create(path: &Path, existing: Existing) -> Result<Self, CreateError> {
        let open_error = |source| CreateError::Open {
            path: path.into(),
            source,
        };
        let (mut file, created) = open(path).map_err(open_error)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(CreateError::Busy(path.into())),
            // Some file systems have no locks; that is no reason not to record.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let regular = file.metadata().map_err(open_error)?.is_file();
        let keep = regular && existing == Existing::KeepForeign;
        if keep && !created && !is_replaceable(&mut file).map_err(open_error)? {
            return Err(CreateError::Foreign(path.into()));
        }
        let writer = Writer::new(Output {
            file,
            regular,
            begun: false,
        })
        .map_err(open_error)?;
        Ok(Self {
            path: path.into(),
            writer,
            created,
            stopped: false,
            taken: 0,
            refused: 0,
        })
    }

    /// Adds an event.
    pub fn append(&mut self, event: &Event) -> Result<(), WriteError> {
        self.taken += 1;
        if self.stopped {
            return Err(WriteError::Stopped(self.path.clone()));
        }
        self.writer.append(event).map_err(|error| self.failed(error))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Events on file.
    pub fn written_events(&self) -> u64 {
        self.writer.written_events()
    }

    /// Bytes on file.
    pub fn written_bytes(&self) -> u64 {
        self.writer.written_bytes()
    }

    /// Events given to it that will never be on file: the loss counter `event_unwritten`.
    pub fn unwritten_events(&self) -> u64 {
        if self.stopped {
            self.taken.saturating_sub(self.written_events())
        } else {
            self.refused
        }
    }

    /// Writes what is pending and waits until the disk has it all.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        if self.stopped {
            return Err(WriteError::Stopped(self.path.clone()));
        }
        self.writer.flush().map_err(|error| self.failed(error))?;
        let Output { file, regular, .. } = self.writer.output();
        if *regular {
            file.sync_all().map_err(|error| self.failed(error.into()))?;
        }
        Ok(())
    }

    /// Takes back the part of a frame that the disk had no room for, so that whole frames are left.
    fn failed(&mut self, error: EncodeError) -> WriteError {
        let path = self.path.clone();
        let EncodeError::Output(source) = error else {
            self.refused += 1;
            return WriteError::Event { path, source: error };
        };
        self.stopped = true;
        let Output { file, regular, .. } = self.writer.output();
        if *regular {
            // A reader copes with the torn frame if this fails too.
            let _ = file.set_len(self.writer.written_bytes());
        }
        WriteError::Output {
            path,
            source,
            events: self.writer.written_events(),
        }
    }
}

impl Drop for Recording {
    /// A recording of nothing leaves nothing.
    fn drop(&mut self) {
        if self.created && self.writer.written_bytes() == 0 {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The file, which loses its old content with the first write.
struct Output {
    file: File,
    regular: bool,
    begun: bool,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.regular && !self.begun {
            self.file.set_len(0)?;
            io::Seek::rewind(&mut self.file)?;
        }
        self.begun = true;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Opens for reading and writing where it can be read; a pipe or a device may only be writable.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.clone().create_new(true).open(path) {
        Ok(file) => return Ok((file, true)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    if std::fs::metadata(path)?.is_file() {
        return Ok((options.open(path)?, false));
    }
    Ok((OpenOptions::new().write(true).open(path)?, false))
}

/// An empty file or a recording.
fn is_replaceable(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    file.take(8).read_to_end(&mut head)?;
    Ok(head.is_empty() || head == MAGIC)
}
