//! Finds the mapping of a process that covers an address, in /proc/PID/maps.

use std::path::Path;

/// A mapping, as a line of /proc/PID/maps shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Vma {
    /// User address of the first byte.
    pub start: u64,
    /// User address after the last byte.
    pub end: u64,
    /// `rwxp` or `rwxs`, with `-` for each missing permission.
    pub permissions: String,
    /// Offset in the file, in bytes.
    pub offset: u64,
    /// Device of the file as `major:minor` in hexadecimal, and number of the inode; inode 0 without a file.
    pub device: String,
    /// Number of the inode.
    pub inode: u64,
    /// Path of the file, or a name such as `[heap]`; empty for anonymous memory without a name.
    pub name: String,
}

/// Returns the mapping that covers an address; `None` if no mapping does. `folder` is the folder of the process or of the
/// thread below /proc. Fails if the file cannot be read, also because the process has ended.
pub fn find(folder: &Path, address: u64) -> std::io::Result<Option<Vma>> {
    let text = std::fs::read(folder.join("maps"))?;
    let text = String::from_utf8_lossy(&text);
    let mut all = text.lines().filter_map(parse);
    Ok(all.find(|vma| (vma.start..vma.end).contains(&address)))
}

/// Parses `start-end permissions offset device inode   name`. The name may contain spaces.
fn parse(line: &str) -> Option<Vma> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = after;
        word
    };
    let (start, end) = word().split_once('-')?;
    let permissions = word().to_owned();
    let offset = word();
    let device = word().to_owned();
    let inode = word().parse().ok()?;
    let hex = |word| u64::from_str_radix(word, 16).ok();
    Some(Vma {
        start: hex(start)?,
        end: hex(end)?,
        permissions,
        offset: hex(offset)?,
        device,
        inode,
        name: rest.trim_start().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_that_covers_an_address_is_found() {
        let root = tempfile::tempdir().unwrap();
        let maps = b"1000-4000 rw-p 00000000 00:00 0 \n\
                     8000-9000 r--s 00002000 00:01 77                         /memfd:a b\xff (deleted)\n";
        std::fs::write(root.path().join("maps"), maps).unwrap();
        let found = |address| find(root.path(), address).unwrap();
        let anonymous = found(0x3fff).unwrap();
        assert_eq!(
            (anonymous.start, anonymous.inode, anonymous.name.as_str()),
            (0x1000, 0, "")
        );
        let file = found(0x8000).unwrap();
        assert_eq!(
            (file.offset, file.device.as_str(), file.inode),
            (0x2000, "00:01", 77)
        );
        assert_eq!(
            (file.permissions.as_str(), file.name.as_str()),
            ("r--s", "/memfd:a b\u{fffd} (deleted)")
        );
        assert_eq!((found(0x4000), found(0xfff)), (None, None));
    }

    #[test]
    fn malformed_lines_are_skipped() {
        for line in [
            "",
            "-",
            "1000-2000",
            "1000-2000 rw-p 0 0:0 x",
            "zz-yy rw-p 0 0:0 0",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn an_ended_process_is_an_error() {
        assert!(find(&tempfile::tempdir().unwrap().path().join("7"), 0).is_err());
    }
}
