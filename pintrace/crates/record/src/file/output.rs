//! The file of a recording: opens the file, and discards its old content at the first write.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::format::MAGIC;

/// An open file that loses its old content with the first write.
pub(super) struct Output {
    pub(super) file: File,
    pub(super) is_regular: bool,
    pub(super) has_begun: bool,
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_regular && !self.has_begun {
            self.file.set_len(0)?;
            io::Seek::rewind(&mut self.file)?;
        }
        self.has_begun = true;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Opens a file. Returns also whether the file was created. Only the owner can read a created file, because a recording has
/// kernel addresses and command lines. A regular file is opened for reading and writing, and a
/// pipe or a device only for writing, because some pipes and devices cannot be read.
pub(super) fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
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

/// What a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Nothing,
    /// A recording, of any version.
    Recording,
    /// Anything else.
    Foreign,
}

/// Returns what a file has, by its first bytes.
pub(super) fn content(file: &mut File) -> io::Result<Content> {
    let mut head = Vec::new();
    file.take(8).read_to_end(&mut head)?;
    Ok(if head.is_empty() {
        Content::Nothing
    } else if head == MAGIC {
        Content::Recording
    } else {
        Content::Foreign
    })
}
