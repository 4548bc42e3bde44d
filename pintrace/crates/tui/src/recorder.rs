//! What the view asks of a recorder of the session.

use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// Records the session into files. The view calls it from the loop that draws.
pub trait Recorder: Debug + Send + Sync {
    /// Begins a file, which also gets the events since the start of the session, and returns its path. Without a path, the
    /// recorder chooses one. An error is a clause for the user.
    fn start(&self, path: Option<&Path>) -> Result<PathBuf, String>;

    /// Ends the file and returns it. An error is a clause for the user.
    fn stop(&self) -> Result<RecordedFile, String>;

    /// Returns the file that is being written. An error is a clause on why the file has ended, and is returned once.
    fn file(&self) -> Result<Option<RecordedFile>, String>;
}

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFile {
    /// The file.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
    /// Number of events of the session that the file lacks.
    pub missing: u64,
}
