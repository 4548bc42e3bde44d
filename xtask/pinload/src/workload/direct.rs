//! Direct I/O: pins (FOLL_GET references before 6.5) for the duration of each call.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

use super::{Workload, WorkloadInfo, counted_for_reading};
use crate::cli::DirectArgs;
use crate::failure::{Explain, Failure, Result};
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, PAGE};
use crate::pins::PinCounts;

const REMEDY: &str = "name a file on ext4, xfs or a block device with --file";

/// A file opened with O_DIRECT, and the memory for it.
pub(super) struct Direct {
    file: File,
    buffer: Buffer,
    block: usize,
    writes: bool,
}

impl Direct {
    /// Reads from the file.
    pub(super) fn reading(buffer: Buffer, arguments: &DirectArgs, index: u32) -> Result<Self> {
        Self::new(buffer, arguments, index, false)
    }

    /// Writes to the file.
    pub(super) fn writing(buffer: Buffer, arguments: &DirectArgs, index: u32) -> Result<Self> {
        Self::new(buffer, arguments, index, true)
    }

    fn new(buffer: Buffer, arguments: &DirectArgs, index: u32, writes: bool) -> Result<Self> {
        let file = open(
            &arguments.file,
            index,
            buffer.bytes(),
            writes,
            arguments.overwrite,
        )?;
        let block = usize::try_from(arguments.block)
            .unwrap_or(usize::MAX)
            .min(buffer.bytes());
        Ok(Self {
            file,
            buffer,
            block,
            writes,
        })
    }

    fn transfer(&self, offset: usize) -> Result<()> {
        let pointer: *mut u8 = std::ptr::with_exposed_provenance_mut(self.buffer.address() + offset);
        let position = offset as u64;
        let moved = if self.writes {
            // SAFETY: the block lies inside the buffer, which is mapped and lives as long as `self`.
            self.file.write_at(
                unsafe { std::slice::from_raw_parts(pointer, self.block) },
                position,
            )
        } else {
            // SAFETY: as above, and nothing else refers to the buffer.
            self.file.read_at(
                unsafe { std::slice::from_raw_parts_mut(pointer, self.block) },
                position,
            )
        };
        let moved = moved.failing(&format!("cannot move {} bytes by direct I/O", self.block), REMEDY)?;
        if moved != self.block {
            return Err(Failure::failed(
                format!("direct I/O moved {moved} of {} bytes at {offset}", self.block),
                "name a file that is as long as the pages, or a file that does not exist",
            ));
        }
        Ok(())
    }
}

impl Workload for Direct {
    fn pin(&mut self) -> Result<PinCounts> {
        let mut pins = 0;
        for offset in (0..self.buffer.bytes()).step_by(self.block) {
            self.transfer(offset)?;
            pins += pages_spanned(offset, self.block);
        }
        let kernel = KernelRelease::running()?;
        Ok(PinCounts::transient(match kernel.direct_io_pins() {
            Some(true) if self.writes => counted_for_reading(self.buffer.wanted(), pins, kernel),
            Some(true) => Some(pins),
            Some(false) => Some(0),
            None => None,
        }))
    }

    fn unpin(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }

    fn info(&self) -> WorkloadInfo {
        WorkloadInfo {
            address: self.buffer.address(),
            ..WorkloadInfo::default()
        }
    }

    fn buffer(&mut self) -> Option<&mut Buffer> {
        Some(&mut self.buffer)
    }
}

/// Returns the number of small pages that `length` bytes from `offset` on cover in part or whole.
fn pages_spanned(offset: usize, length: usize) -> u64 {
    ((offset + length).div_ceil(PAGE) - offset / PAGE) as u64
}

/// Returns the path of the file for the workload `index` of a run.
fn sibling(path: &Path, index: u32) -> PathBuf {
    if index == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{index}"));
    name.into()
}

/// Opens the existing file with O_DIRECT, or creates a file of `bytes` and unlinks it. `index` distinguishes the files of a
/// run.
pub(crate) fn open(path: &Path, index: u32, bytes: usize, writes: bool, overwrite: bool) -> Result<File> {
    let made = sibling(path, index);
    let direct = |path: &Path| {
        OpenOptions::new()
            .read(true)
            .write(writes)
            .custom_flags(libc::O_DIRECT)
            .open(path)
            .unavailable(&format!("cannot open {} with O_DIRECT", path.display()), REMEDY)
    };
    match OpenOptions::new().write(true).create_new(true).open(&made) {
        Ok(mut file) => {
            let filled = fill(&mut file, bytes);
            let opened = direct(&made);
            fs::remove_file(&made).failing(
                &format!("cannot remove {}", made.display()),
                "remove the file by hand",
            )?;
            filled.failing(
                &format!("cannot fill {}", made.display()),
                "name a file on a file system with free space",
            )?;
            opened
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists && writes && !overwrite => {
            Err(Failure::failed(
                format!("{} exists, and direct-write would overwrite it", made.display()),
                "name a new file with --file, or give --overwrite",
            ))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => direct(&made),
        Err(error) => Err(Failure::failed(
            format!("cannot create {}: {error}", made.display()),
            REMEDY,
        )),
    }
}

/// Writes blocks to the disk, so that direct I/O finds neither holes nor dirty page cache.
fn fill(file: &mut File, bytes: usize) -> std::io::Result<()> {
    let chunk = vec![0x70; (1 << 20).min(bytes)];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(chunk.len());
        file.write_all(&chunk[..now])?;
        left -= now;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_smaller_than_a_page_touches_one() {
        assert_eq!(pages_spanned(512, 512), 1);
        assert_eq!(pages_spanned(0, 4096), 1);
        assert_eq!(pages_spanned(3072, 2048), 2);
    }

    #[test]
    fn each_workload_of_a_run_has_a_separate_file() {
        assert_eq!(sibling(Path::new("/mnt/a.dat"), 0), Path::new("/mnt/a.dat"));
        assert_eq!(sibling(Path::new("/mnt/a.dat"), 2), Path::new("/mnt/a.dat.2"));
    }
}
