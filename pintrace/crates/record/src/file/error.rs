//! Errors of a recording in a file.

use std::io;
use std::path::PathBuf;

use pintrace_text::counted;

use crate::writer::EncodeError;

/// Why a recording could not be created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The file exists and is no recording.
    #[error("{}: exists and is no recording, so it is not replaced: choose another file, or pass --force", .0.display())]
    Foreign(PathBuf),
    /// The file has an earlier recording, and there is a file that is no recording at the path to which it would go.
    #[error(
        "{}: has an earlier recording, which cannot go to {}, because that is no recording: choose another file with \
         -o FILE",
        path.display(),
        place.display()
    )]
    NoPlace {
        /// The file.
        path: PathBuf,
        /// The path for the earlier recording.
        place: PathBuf,
    },
    /// The file has an earlier recording, and the file itself is a mount point, which cannot be renamed.
    #[error(
        "{}: has an earlier recording, which cannot be moved aside, because the file is a mount point: mount its folder, or \
         choose another file with -o FILE",
        .0.display()
    )]
    MountPoint(PathBuf),
    /// Another process is writing to the file.
    #[error("{}: another pintrace is writing to this file: choose another file", .0.display())]
    Busy(PathBuf),
    /// The file cannot be opened.
    #[error("{}: cannot be written: {source}; choose another place with -o FILE", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Why an event was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Writing failed. The events that are in the file remain a valid recording.
    #[error(
        "{}: recording stopped: {source}; the file keeps {} written before. {}",
        path.display(),
        counted(*events, "event"),
        remedy(source)
    )]
    Output {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
        /// Number of events in the file.
        events: u64,
    },
    /// One event cannot be encoded; later events can be written.
    #[error("{}: {source}", path.display())]
    Event {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: EncodeError,
    },
    /// Writing failed earlier. Each later event gives this error, so that the caller can count the unwritten events.
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
