//! A recording in a file: decides which files may be replaced, and keeps the recording valid when the disk is full.
//!
//! The file is opened before tracing begins, so that a wrong path fails early. An earlier recording in the file is moved
//! aside only when the session has started, so that a session that does not start changes nothing.

mod earlier;
mod error;
mod output;

use std::fs::TryLockError;
use std::path::{Path, PathBuf};

use pintrace_events::Event;

use self::earlier::EarlierRecording;
pub use self::error::{CreateError, WriteError};
use self::output::{Content, Output, content, open};
use super::writer::{EncodeError, Writer};

/// The treatment of a file that exists already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Move a recording aside, replace an empty file, and keep any other file.
    #[default]
    KeepForeign,
    /// Move a recording aside, and replace any other file.
    Replace,
}

/// A recording that is being written to a file.
pub struct Recording {
    path: PathBuf,
    writer: Writer<Output>,
    /// This process created the file, so the file is removed if it stays empty.
    created: bool,
    /// The file has an earlier recording, which is moved aside when the session has started.
    earlier: Option<EarlierRecording>,
    /// The user who gets a file that this process creates.
    owner: Option<(u32, u32)>,
    stopped: bool,
    /// Number of events given to [`Self::append`].
    appended: u64,
    /// Number of events that could not be encoded.
    refused: u64,
}

impl Recording {
    /// Opens the file. Its content does not change before [`Self::begin`] or the first frame.
    pub fn create(path: &Path, existing: Existing) -> Result<Self, CreateError> {
        let (output, created, earlier) = create(path, existing)?;
        let writer = Writer::new(output).map_err(|source| CreateError::Open {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            path: path.into(),
            writer,
            created,
            earlier,
            owner: None,
            stopped: false,
            appended: 0,
            refused: 0,
        })
    }

    /// Gives a file that this process created to a user: only its owner can read a recording.
    pub fn give_to(&mut self, uid: u32, gid: u32) -> std::io::Result<()> {
        self.owner = Some((uid, gid));
        let Output { file, is_regular, .. } = self.writer.output();
        if self.created && *is_regular {
            std::os::unix::fs::fchown(file, Some(uid), Some(gid))?;
        }
        Ok(())
    }

    /// Moves an earlier recording in the file aside, and creates the file anew. Returns the new path of the earlier
    /// recording. Needs the rights in the folder that [`Self::create`] has had.
    pub fn begin(&mut self) -> Result<Option<PathBuf>, CreateError> {
        let Some(earlier) = self.earlier.take() else {
            return Ok(None);
        };
        earlier.move_aside(&self.path, &self.writer.output().file)?;
        let created = create(&earlier.file, Existing::KeepForeign);
        let (output, created, _) = created.inspect_err(|_| earlier.move_back())?;
        *self.writer.output_mut() = output;
        self.created = created;
        if let Some((uid, gid)) = self.owner {
            // The recording stays root's, and goes on.
            let _ = self.give_to(uid, gid);
        }
        Ok(Some(earlier.place))
    }

    /// Appends an event.
    pub fn append(&mut self, event: &Event) -> Result<(), WriteError> {
        self.appended += 1;
        if self.stopped {
            return Err(WriteError::Stopped(self.path.clone()));
        }
        self.writer.append(event).map_err(|error| self.failed(error))
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of events in the file.
    pub fn written_events(&self) -> u64 {
        self.writer.written_events()
    }

    /// Returns the size of the file in bytes.
    pub fn written_bytes(&self) -> u64 {
        self.writer.written_bytes()
    }

    /// Returns the number of appended events that will never be in the file: the loss counter `event_unwritten`.
    pub fn unwritten_events(&self) -> u64 {
        if self.stopped {
            self.appended.saturating_sub(self.written_events())
        } else {
            self.refused
        }
    }

    /// Writes the pending events, and waits until the file is on disk.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        if self.stopped {
            return Err(WriteError::Stopped(self.path.clone()));
        }
        self.writer.flush().map_err(|error| self.failed(error))?;
        let Output { file, is_regular, .. } = self.writer.output();
        if *is_regular {
            file.sync_all().map_err(|error| self.failed(error.into()))?;
        }
        Ok(())
    }

    /// Turns an error of the writer into an error that names the file. If the output failed, cuts off a partial frame,
    /// so that only whole frames remain.
    fn failed(&mut self, error: EncodeError) -> WriteError {
        let path = self.path.clone();
        let EncodeError::Output(source) = error else {
            self.refused += 1;
            return WriteError::Event { path, source: error };
        };
        self.stopped = true;
        let Output { file, is_regular, .. } = self.writer.output();
        if *is_regular {
            // If truncation fails too, a reader still stops before the partial frame.
            let _ = file.set_len(self.writer.written_bytes());
        }
        WriteError::Output {
            path,
            source,
            events: self.writer.written_events(),
        }
    }
}

/// Opens and locks the file of a recording. Returns also whether the file was created, and the earlier recording in the
/// file. The content of a file does not change before the first write.
fn create(path: &Path, existing: Existing) -> Result<(Output, bool, Option<EarlierRecording>), CreateError> {
    let open_error = |source| CreateError::Open {
        path: path.into(),
        source,
    };
    let (mut file, created) = open(path).map_err(open_error)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(CreateError::Busy(path.into())),
        // A recording on a file system without locks is allowed.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    let is_regular = file.metadata().map_err(open_error)?.is_file();
    let content = if is_regular && !created {
        content(&mut file).map_err(open_error)?
    } else {
        Content::Nothing
    };
    let earlier = match content {
        Content::Nothing => None,
        Content::Recording => Some(EarlierRecording::find(path)?),
        Content::Foreign if existing == Existing::Replace => None,
        Content::Foreign => return Err(CreateError::Foreign(path.into())),
    };
    let output = Output {
        file,
        is_regular,
        has_begun: false,
    };
    Ok((output, created, earlier))
}

impl Drop for Recording {
    /// Removes a file that this process created and that stayed empty.
    fn drop(&mut self) {
        if self.created && self.writer.written_bytes() == 0 {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
