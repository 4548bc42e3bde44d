//! Reads the private mappings of files of a process, and the anonymous pages in such mappings, from /proc/PID/maps and
//! /proc/PID/pagemap.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Bit of an entry of pagemap: the page is in memory (Documentation/admin-guide/mm/pagemap.rst).
const PRESENT: u64 = 1 << 63;
/// Bit of an entry of pagemap: the page belongs to a file or to shared memory.
const OF_FILE: u64 = 1 << 61;
/// Bits of an entry of pagemap that hold the frame number.
const FRAME: u64 = (1 << 55) - 1;

/// A private mapping of a file (`MAP_PRIVATE`). A write to the mapping replaces a page of the file by an anonymous copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateMapping {
    /// User addresses of the mapping.
    pub addresses: Range<u64>,
    /// Name of the file as /proc/PID/maps shows it.
    pub file: String,
}

/// Returns the private mappings of files, in the order of addresses; none if the process has ended. `folder` is the folder
/// of the process or of the thread below /proc.
#[must_use]
pub fn mappings(folder: &Path) -> Vec<PrivateMapping> {
    let maps = std::fs::read(folder.join("maps")).unwrap_or_default();
    String::from_utf8_lossy(&maps)
        .lines()
        .filter_map(mapping)
        .collect()
}

/// Calls `visit` with the frame number of each anonymous page in memory at `addresses`.
pub fn anonymous_frames(folder: &Path, addresses: Range<u64>, visit: &mut dyn FnMut(u64)) {
    let Ok(pagemap) = File::open(folder.join("pagemap")) else {
        return;
    };
    let mut word = [0; 8];
    for page in addresses.start / PAGE..addresses.end.div_ceil(PAGE) {
        if pagemap.read_exact_at(&mut word, page * 8).is_err() {
            return;
        }
        let entry = u64::from_ne_bytes(word);
        if entry & PRESENT != 0 && entry & OF_FILE == 0 {
            visit(entry & FRAME);
        }
    }
}

/// Returns the mapping of a line such as `7f10a000-7f10c000 rw-p 00002000 08:01 1234   /usr/lib/name`.
fn mapping(line: &str) -> Option<PrivateMapping> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let is_private = words.next()?.ends_with('p');
    let (_offset, _device, inode, name) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let name = name.trim_start();
    let is_file = inode != "0" && !name.is_empty();
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    (is_private && is_file).then(|| PrivateMapping {
        addresses: start..end,
        file: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Maps of a private file, of the heap, of a shared file and of anonymous memory.
    const MAPS: &str = "\
1000-4000 rw-p 00002000 08:01 1234                       /tmp/a file (deleted)
4000-5000 rw-p 00000000 00:00 0                          [heap]
5000-6000 rw-s 00000000 08:01 99                         /tmp/shared
6000-7000 rw-p 00000000 00:00 0
-
";

    #[test]
    fn only_private_mappings_of_files_are_returned() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("maps"), MAPS).unwrap();
        let found = mappings(root.path());
        assert_eq!(
            found,
            [PrivateMapping {
                addresses: 0x1000..0x4000,
                file: "/tmp/a file (deleted)".to_owned(),
            }]
        );
    }

    #[test]
    fn pages_that_the_file_still_shares_are_not_visited() {
        let root = tempfile::tempdir().unwrap();
        let pagemap = File::create(root.path().join("pagemap")).unwrap();
        for (page, entry) in [(1, PRESENT | 5), (2, PRESENT | OF_FILE | 6), (3, 7)] {
            pagemap.write_all_at(&u64::to_ne_bytes(entry), page * 8).unwrap();
        }
        let mut frames = Vec::new();
        anonymous_frames(root.path(), 0x1000..0x5000, &mut |pfn| frames.push(pfn));
        assert_eq!(frames, [5]);
    }

    #[test]
    fn an_ended_process_has_no_mappings() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(mappings(&root.path().join("7")), []);
        anonymous_frames(&root.path().join("7"), 0..0x2000, &mut |_| panic!("no page"));
    }
}
