//! The two disks of a guest: a disk with ext4 for the command, and a raw report disk to which the guest writes its exit
//! code and the contents of /out.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};

use super::cache;
use crate::process;

/// The offset of the archive of /out on the report disk; init.sh has the same number.
const OUT: u64 = 1 << 20;
/// The size of the report disk; the file is sparse.
const REPORT_BYTES: u64 = 8 << 30;

/// The progress of a guest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GuestProgress {
    /// The command has not started.
    Booting,
    /// The command has started and not ended.
    Started,
    /// The command has ended with this code.
    Exited(u8),
}

/// Creates a disk with an ext4 that contains the files of a folder, or nothing.
pub(crate) fn make_ext4(path: &Path, size: &str, content: Option<&Path>) -> Result<()> {
    let mut command = process::program("mke2fs");
    command.args(["-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1,nodiscard"]);
    if let Some(content) = content {
        command.arg("-d").arg(content);
    }
    command.arg(path).arg(size);
    process::stdout(&mut command)?;
    Ok(())
}

/// Creates an empty report disk.
pub(crate) fn make_report(path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.set_len(REPORT_BYTES)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Reads the progress of the guest from the report disk.
pub(crate) fn read_report(path: &Path) -> Result<GuestProgress> {
    let mut block = [0; 64];
    File::open(path)?.read_exact(&mut block)?;
    Ok(parse(&String::from_utf8_lossy(&block)))
}

/// Unpacks the guest's /out into the folder.
pub(crate) fn read_out(path: &Path, folder: &Path) -> Result<()> {
    cache::folder(folder)?;
    let mut disk = File::open(path)?;
    disk.seek(SeekFrom::Start(OUT))?;
    let mut magic = [0; 512];
    disk.read_exact(&mut magic)?;
    if magic[0] == 0 {
        return Ok(());
    }
    disk.seek(SeekFrom::Start(OUT))?;
    let mut command = process::program("tar");
    command
        .args(["--extract", "--no-same-owner", "--directory"])
        .arg(folder)
        .stdin(Stdio::from(disk));
    process::run(&mut command).context("cannot unpack the guest's /out")
}

fn parse(text: &str) -> GuestProgress {
    let line = text.lines().next().unwrap_or_default();
    match line.strip_prefix("exit ").and_then(|code| code.parse().ok()) {
        Some(code) => GuestProgress::Exited(code),
        None if line == "started" => GuestProgress::Started,
        None => GuestProgress::Booting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read() {
        assert_eq!(parse("\0\0\0"), GuestProgress::Booting);
        assert_eq!(parse("started\n\0\0"), GuestProgress::Started);
        assert_eq!(parse("exit 3\n\0"), GuestProgress::Exited(3));
        assert_eq!(parse("exit 3000\n"), GuestProgress::Booting);
    }
}
