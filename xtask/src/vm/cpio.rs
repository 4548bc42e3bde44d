//! Writes `newc` cpio archives, the format of an initramfs: any owner, any device node, without being root.

use std::collections::HashSet;
use std::fs;
use std::io::{Result, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive being written; paths are relative to its root, and folders above an entry appear by themselves.
pub(crate) struct CpioArchive<W: Write> {
    out: W,
    inode: u32,
    folders: HashSet<String>,
}

impl<W: Write> CpioArchive<W> {
    /// Begins an archive.
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            inode: 0,
            folders: HashSet::new(),
        }
    }

    /// Adds a folder and those above it.
    pub(crate) fn folder(&mut self, path: &str) -> Result<()> {
        if path.is_empty() || self.folders.contains(path) {
            return Ok(());
        }
        self.above(path)?;
        self.folders.insert(path.to_owned());
        self.entry(path, FOLDER | 0o755, (0, 0), b"")
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.above(path)?;
        self.entry(path, FILE | mode, (0, 0), content)
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.above(path)?;
        self.entry(path, LINK | 0o777, (0, 0), target.as_bytes())
    }

    /// Adds a character device.
    pub(crate) fn character_device(&mut self, path: &str, major: u32, minor: u32) -> Result<()> {
        self.above(path)?;
        self.entry(path, CHARACTER_DEVICE | 0o600, (major, minor), b"")
    }

    /// Adds a file, link or whole folder of this machine under the name `path`.
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

    /// Ends the archive and hands its file back.
    pub(crate) fn finish(mut self) -> Result<W> {
        self.entry("TRAILER!!!", 0, (0, 0), b"")?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn above(&mut self, path: &str) -> Result<()> {
        path.rsplit_once('/')
            .map_or(Ok(()), |(parent, _)| self.folder(parent))
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) -> Result<()> {
        let too_large = |_| std::io::Error::other(format!("{path} is too large for an initramfs"));
        let size = u32::try_from(content.len()).map_err(too_large)?;
        let name_size = u32::try_from(path.len() + 1).map_err(too_large)?;
        self.inode += 1;
        let (major, minor) = device;
        // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let fields = [
            self.inode, mode, 0, 0, 1, 0, size, 0, 0, major, minor, name_size, 0,
        ];
        write!(self.out, "070701")?;
        for field in fields {
            write!(self.out, "{field:08X}")?;
        }
        self.out.write_all(path.as_bytes())?;
        self.pad(110 + path.len(), 1)?;
        self.out.write_all(content)?;
        self.pad(content.len(), 0)
    }

    /// Fills up to a multiple of four after `length` bytes, with at least `least` zeros.
    fn pad(&mut self, length: usize, least: usize) -> Result<()> {
        let zeros = least + (4 - (length + least) % 4) % 4;
        self.out.write_all(&[0; 4][..zeros])
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
