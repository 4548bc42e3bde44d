//! An earlier recording in the file of a new one: it goes to FILE.old, as for `perf record`.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::StatxAttributes;

use super::error::CreateError;
use super::output::{Content, content};

/// An earlier recording, and the place that it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EarlierRecording {
    /// The file itself, if the path of the user is a symbolic link.
    pub(super) file: PathBuf,
    /// FILE.old.
    pub(super) place: PathBuf,
}

impl EarlierRecording {
    /// Finds the place for the recording that is at a path now.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing may be moved there: the folder cannot be written, the file is a mount point, another
    /// pintrace writes FILE.old, or FILE.old is no recording.
    pub(super) fn find(path: &Path) -> Result<Self, CreateError> {
        let open_error = |source| CreateError::Open {
            path: path.into(),
            source,
        };
        let file = fs::canonicalize(path).map_err(open_error)?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(folder, access).map_err(|error| open_error(error.into()))?;
        if is_mount_point(&file) {
            return Err(CreateError::MountPoint(path.into()));
        }
        let mut name = file.clone().into_os_string();
        name.push(".old");
        let earlier = Self {
            file,
            place: name.into(),
        };
        earlier.require_place(path)?;
        Ok(earlier)
    }

    fn require_place(&self, path: &Path) -> Result<(), CreateError> {
        let no_place = || CreateError::NoPlace {
            path: path.into(),
            place: self.place.clone(),
        };
        let found = match fs::symlink_metadata(&self.place) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) => return Err(no_place()),
        };
        // A FIFO would wait for a writer.
        if !found.is_file() {
            return Err(no_place());
        }
        let mut old = File::open(&self.place).map_err(|_| no_place())?;
        match old.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(CreateError::Busy(self.place.clone())),
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        match content(&mut old) {
            Ok(Content::Nothing | Content::Recording) => Ok(()),
            Ok(Content::Foreign) | Err(_) => Err(no_place()),
        }
    }

    /// Moves the recording aside. `opened` is the file that was opened at `path`.
    pub(super) fn move_aside(&self, path: &Path, opened: &File) -> Result<(), CreateError> {
        self.require_place(path)?;
        let open_error = |source| CreateError::Open {
            path: path.into(),
            source,
        };
        let identity = |found: fs::Metadata| (found.dev(), found.ino());
        let there = fs::metadata(&self.file).map(identity).map_err(open_error)?;
        if there != opened.metadata().map(identity).map_err(open_error)? {
            // Another pintrace has begun a recording there since.
            return Err(CreateError::Busy(path.into()));
        }
        fs::rename(&self.file, &self.place).map_err(open_error)
    }

    /// Moves the recording back, after the new file could not be created.
    pub(super) fn move_back(&self) {
        // If this fails too, the recording is at FILE.old.
        let _ = fs::rename(&self.place, &self.file);
    }
}

/// Returns true if a file is mounted at the path, as `docker run -v FILE:FILE` does. Kernels before 5.8 do not tell.
fn is_mount_point(path: &Path) -> bool {
    let found = rustix::fs::statx(
        rustix::fs::CWD,
        path,
        rustix::fs::AtFlags::empty(),
        rustix::fs::StatxFlags::empty(),
    );
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
