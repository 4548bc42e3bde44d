//! Tests of private copies, with files in place of /proc.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::slice;

use super::*;

const PRESENT: u64 = 1 << 63;
const OF_FILE: u64 = 1 << 61;

fn run(pfn: u64, folios: u64, kind: MemoryKind) -> FolioRun {
    FolioRun {
        pfn,
        folios,
        order: 0,
        kind,
        pins: 1,
        exclusive: None,
        index: 0,
    }
}

/// A process that maps a file privately at 0x1000-0x5000. It has written to the pages with frames 11, 12 and 30, and shares
/// frame 20 with the file. Its heap at 0x8000 has frame 13.
fn process() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let maps = "1000-5000 rw-p 00000000 08:01 12 /tmp/data\n8000-9000 rw-p 00000000 00:00 0 [heap]\n";
    fs::write(root.path().join("maps"), maps).unwrap();
    let pagemap = File::create(root.path().join("pagemap")).unwrap();
    for (page, entry) in [(1, 11), (2, 12), (3, OF_FILE + 20), (4, 30), (8, 13)] {
        let entry: u64 = PRESENT | entry;
        pagemap.write_all_at(&entry.to_ne_bytes(), page * 8).unwrap();
    }
    root
}

fn found(addresses: &[Range<u64>], runs: &[FolioRun]) -> Vec<(String, u64)> {
    let root = process();
    let mappings = private_files::mappings(root.path());
    let copies = copies(root.path(), &mappings, addresses, runs);
    copies
        .into_iter()
        .map(|copies| (copies.file, copies.pages))
        .collect()
}

#[test]
fn only_pinned_copies_are_counted_and_each_once() {
    // The ranges overlap: two buffers share a page.
    let addresses = [0x2000..0x5000, 0x1000..0x3000];
    let runs = [run(20, 1, MemoryKind::File), run(11, 2, MemoryKind::Anon)];
    assert_eq!(found(&addresses, &runs), [("/tmp/data".to_owned(), 2)]);
}

/// Control: anonymous memory is no private copy.
#[test]
fn the_heap_has_no_private_copies() {
    assert_eq!(
        found(
            slice::from_ref(&(0x8000..0x9000)),
            &[run(13, 1, MemoryKind::Anon)]
        ),
        []
    );
}

#[test]
fn addresses_where_the_process_maps_other_pages_now_do_not_count() {
    assert_eq!(
        found(
            slice::from_ref(&(0x1000..0x5000)),
            &[run(40, 4, MemoryKind::Anon)]
        ),
        []
    );
}
