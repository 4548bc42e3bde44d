//! The contents of an initramfs: a `newc` cpio archive (crate `cpio`) with root as the owner and with device nodes,
//! written without root privileges.

use std::collections::HashSet;
use std::fs;
use std::io::{Result, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cpio::newc::{self, Builder, ModeFileType};

/// An archive that is being written. Paths are relative to its root, and parent folders are added automatically.
pub(crate) struct CpioArchive<W: Write> {
    out: W,
    inode: u32,
    folders: HashSet<String>,
}

impl<W: Write> CpioArchive<W> {
    /// Starts an archive.
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            inode: 0,
            folders: HashSet::new(),
        }
    }

    /// Adds a folder and its parent folders.
    pub(crate) fn folder(&mut self, path: &str) -> Result<()> {
        if path.is_empty() || self.folders.contains(path) {
            return Ok(());
        }
        self.above(path)?;
        self.folders.insert(path.to_owned());
        self.entry(
            Builder::new(path)
                .mode(0o755)
                .set_mode_file_type(ModeFileType::Directory),
            b"",
        )
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.above(path)?;
        self.entry(
            Builder::new(path)
                .mode(mode)
                .set_mode_file_type(ModeFileType::Regular),
            content,
        )
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.above(path)?;
        self.entry(
            Builder::new(path)
                .mode(0o777)
                .set_mode_file_type(ModeFileType::Symlink),
            target.as_bytes(),
        )
    }

    /// Adds a character device.
    pub(crate) fn character_device(&mut self, path: &str, major: u32, minor: u32) -> Result<()> {
        self.above(path)?;
        let device = Builder::new(path)
            .mode(0o600)
            .set_mode_file_type(ModeFileType::Char);
        self.entry(device.rdev_major(major).rdev_minor(minor), b"")
    }

    /// Adds a file, link or folder of this machine under the name `path`.
    pub(crate) fn copy(&mut self, path: &str, source: &Path) -> Result<()> {
        let kind = fs::symlink_metadata(source)?;
        if kind.is_symlink() {
            return self.link(path, &fs::read_link(source)?.to_string_lossy());
        }
        if !kind.is_dir() {
            return self.file(path, kind.permissions().mode() & 0o7777, &fs::read(source)?);
        }
        self.folder(path)?;
        for entry in fs::read_dir(source)? {
            let entry = entry?;
            self.copy(
                &format!("{path}/{}", entry.file_name().to_string_lossy()),
                &entry.path(),
            )?;
        }
        Ok(())
    }

    /// Completes the archive and returns its output.
    pub(crate) fn finish(self) -> Result<W> {
        let mut out = newc::trailer(self.out)?;
        out.flush()?;
        Ok(out)
    }

    fn above(&mut self, path: &str) -> Result<()> {
        path.rsplit_once('/')
            .map_or(Ok(()), |(parent, _)| self.folder(parent))
    }

    fn entry(&mut self, entry: Builder, content: &[u8]) -> Result<()> {
        let too_large = |_| std::io::Error::other("a file is too large for an initramfs");
        let size = u32::try_from(content.len()).map_err(too_large)?;
        self.inode += 1;
        let mut writer = entry.ino(self.inode).nlink(1).write(&mut self.out, size);
        writer.write_all(content)?;
        writer.finish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_contents_are_aligned() {
        for name in ["a", "ab", "abc", "abcd"] {
            let mut archive = CpioArchive::new(Vec::new());
            archive.file(name, 0o644, b"12345").unwrap();
            let bytes = archive.finish().unwrap();
            assert_eq!(bytes.len() % 4, 0);
            let content = (110 + name.len() + 1).next_multiple_of(4);
            assert_eq!(&bytes[content..content + 5], b"12345");
            assert_eq!(&bytes[content + 8..content + 14], b"070701");
        }
    }

    #[test]
    fn folders_appear_once() {
        let mut archive = CpioArchive::new(Vec::new());
        archive.file("usr/bin/a", 0o755, b"").unwrap();
        archive.file("usr/bin/b", 0o755, b"").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(
            bytes.windows(8).filter(|window| window == b"usr/bin\0").count(),
            1
        );
    }
}
