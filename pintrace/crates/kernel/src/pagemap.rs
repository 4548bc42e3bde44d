//! Reads the page tables of a process from /proc/PID/maps and /proc/PID/pagemap.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Entries read at once: 64 MiB of address space.
const ENTRIES: usize = 16 << 10;
/// Bit of an entry: the page is in memory (Documentation/admin-guide/mm/pagemap.rst).
const PRESENT: u64 = 1 << 63;
/// Bits of an entry that hold the frame number.
const FRAME: u64 = (1 << 55) - 1;
/// Bit of an entry: the page is in swap, or is being migrated.
const SWAPPED: u64 = 1 << 62;
/// Most entries read for one process: 4 TiB of address space. Mappings beyond that are counted as skipped.
const MOST_ENTRIES: u64 = 1 << 30;

/// Why the pages of a process were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The process has ended.
    Gone,
    /// The files of the process cannot be read.
    Refused,
}

/// Counts of one walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Pages of address space whose entry was read.
    pub entries: u64,
    /// Pages that were in memory.
    pub present: u64,
    /// Pages of address space that were left out, since the process has too many.
    pub skipped: u64,
}

/// Calls `visit` with the address and the frame number of each page of a task that is in memory, in the order of
/// addresses. `folder` is the folder of the process or of the thread below /proc.
pub fn walk(folder: &Path, visit: &mut dyn FnMut(u64, u64)) -> Result<Walked, Unread> {
    let maps = std::fs::read(folder.join("maps")).map_err(|error| unread(&error))?;
    let pagemap = File::open(folder.join("pagemap")).map_err(|error| unread(&error))?;
    let mut walked = Walked::default();
    let mut bytes = vec![0; ENTRIES * 8];
    for (start, end) in String::from_utf8_lossy(&maps).lines().filter_map(range) {
        let (first, last) = (start / PAGE, end / PAGE);
        if walked.entries + (last - first) > MOST_ENTRIES {
            walked.skipped += last - first;
            continue;
        }
        let mut page = first;
        while page < last {
            let wanted =
                usize::try_from((last - page).saturating_mul(8)).map_or(bytes.len(), |b| b.min(bytes.len()));
            let got = match pagemap.read_at(&mut bytes[..wanted], page * 8) {
                Ok(got) => got / 8 * 8,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unread(&error)),
            };
            // No entries: the range is beyond user addresses, or the mm is gone.
            if got == 0 {
                break;
            }
            let (words, _) = bytes[..got].as_chunks::<8>();
            for (address, word) in (page..).zip(words) {
                let entry = u64::from_ne_bytes(*word);
                if entry & PRESENT != 0 && entry & FRAME != 0 {
                    walked.present += 1;
                    visit(address * PAGE, entry & FRAME);
                }
            }
            let pages = (got / 8) as u64;
            walked.entries += pages;
            page += pages;
        }
    }
    Ok(walked)
}

/// Returns the frame of the page at an address; `None` if no page is in memory there. `folder` as in [`walk`].
pub fn frame(folder: &Path, address: u64) -> Option<u64> {
    let mut word = [0; 8];
    let pagemap = File::open(folder.join("pagemap")).ok()?;
    pagemap.read_exact_at(&mut word, address / PAGE * 8).ok()?;
    let entry = u64::from_ne_bytes(word);
    (entry & PRESENT != 0).then_some(entry & FRAME)
}

/// The entry of a page table for one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A page is mapped. The number is the frame.
    Present(u64),
    /// A page is mapped, and the kernel hides its frame: the reader lacks CAP_SYS_ADMIN (`pagemap_read`,
    /// fs/proc/task_mmu.c).
    Hidden,
    /// The page is in swap, or is being migrated.
    Swapped,
    /// No page is mapped.
    Empty,
}

/// Returns the entry for an address. `folder` as in [`walk`]. An address beyond user addresses has an empty entry.
pub fn entry(folder: &Path, address: u64) -> Result<Entry, Unread> {
    let pagemap = File::open(folder.join("pagemap")).map_err(|error| unread(&error))?;
    let mut word = [0; 8];
    let got = pagemap
        .read_at(&mut word, address / PAGE * 8)
        .map_err(|error| unread(&error))?;
    let entry = if got == word.len() {
        u64::from_ne_bytes(word)
    } else {
        0
    };
    Ok(match (entry & PRESENT != 0, entry & FRAME) {
        (true, 0) => Entry::Hidden,
        (true, frame) => Entry::Present(frame),
        (false, _) if entry & SWAPPED != 0 => Entry::Swapped,
        (false, _) => Entry::Empty,
    })
}

fn unread(error: &io::Error) -> Unread {
    /// `ESRCH`: the process ended while its file was open.
    const GONE: i32 = 3;
    if error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(GONE) {
        Unread::Gone
    } else {
        Unread::Refused
    }
}

/// Returns the addresses at the beginning of a line of maps. `None` for the vsyscall page, which is not in the mm.
fn range(line: &str) -> Option<(u64, u64)> {
    let (start, rest) = line.split_once('-')?;
    let (end, _) = rest.split_once(' ')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    (start < end && end >> 63 == 0).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proc_with(maps: &[u8], entries: &[(u64, u64)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("7");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("maps"), maps).unwrap();
        let pagemap = File::create(folder.join("pagemap")).unwrap();
        for (address, entry) in entries {
            pagemap
                .write_all_at(&entry.to_ne_bytes(), address / PAGE * 8)
                .unwrap();
        }
        root
    }

    fn pages(root: &Path) -> (Vec<(u64, u64)>, Result<Walked, Unread>) {
        let mut pages = Vec::new();
        let walked = walk(&root.join("7"), &mut |address, pfn| pages.push((address, pfn)));
        (pages, walked)
    }

    #[test]
    fn pages_in_memory_are_visited_by_address() {
        let root = proc_with(
            b"1000-4000 rw-p 0 0:0 0 /tmp/\xff name\n8000-9000 r--p 0 0:0 0\n",
            &[(0x1000, PRESENT | 5), (0x2000, 77), (0x8000, PRESENT | 9)],
        );
        let (pages, walked) = pages(root.path());
        assert_eq!(pages, [(0x1000, 5), (0x8000, 9)]);
        assert_eq!(walked.unwrap().present, 2);
    }

    #[test]
    fn hidden_frame_numbers_are_not_visited() {
        let root = proc_with(b"1000-2000 rw-p 0 0:0 0\n", &[(0x1000, PRESENT)]);
        assert_eq!(pages(root.path()).0, []);
    }

    #[test]
    fn malformed_lines_and_kernel_addresses_are_skipped() {
        let root = proc_with(
            b"\xff\n-\n2000-1000 x\nzz-yy q\nffffffffff600000-ffffffffff601000 --xp 0 0:0 0 [vsyscall]\n",
            &[],
        );
        assert_eq!(pages(root.path()), (vec![], Ok(Walked::default())));
    }

    #[test]
    fn mappings_beyond_the_limit_are_counted_and_not_read() {
        let root = proc_with(b"1000-7ffffffff000 rw-p 0 0:0 0\n", &[]);
        let (_, walked) = pages(root.path());
        assert_eq!(walked.unwrap().skipped, 0x7_ffff_fffe);
    }

    #[test]
    fn the_entry_of_an_address_says_where_the_page_is() {
        let entries = [
            (0x1000, PRESENT | 5),
            (0x2000, PRESENT),
            (0x3000, SWAPPED | 64),
            (0x4000, 0),
        ];
        let root = proc_with(b"", &entries);
        let of = |address| entry(&root.path().join("7"), address);
        assert_eq!(of(0x1fff), Ok(Entry::Present(5)));
        assert_eq!(of(0x2000), Ok(Entry::Hidden));
        assert_eq!(of(0x3000), Ok(Entry::Swapped));
        assert_eq!(of(0x4000), Ok(Entry::Empty));
        // Beyond the end of the file.
        assert_eq!(of(0x9000), Ok(Entry::Empty));
        assert_eq!(entry(&root.path().join("8"), 0), Err(Unread::Gone));
    }

    #[test]
    fn an_ended_process_and_an_unreadable_one_are_distinguished() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(pages(root.path()).1, Err(Unread::Gone));
        std::fs::create_dir_all(root.path().join("7/maps")).unwrap();
        assert_eq!(pages(root.path()).1, Err(Unread::Refused));
    }
}
