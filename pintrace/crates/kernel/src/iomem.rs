//! Reads the ranges of system memory from /proc/iomem.

use std::ops::Range;
use std::path::Path;

use pintrace_common::scan::CHUNK_PAGES;

/// log2 of the bytes of a page.
const PAGE_SHIFT: u32 = 12;

/// Why the ranges are unknown.
#[derive(Debug, thiserror::Error)]
pub enum IomemError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: std::path::PathBuf,
        /// Error of the system call.
        source: std::io::Error,
    },
    /// The kernel shows zeros to readers without CAP_SYS_ADMIN (`r_show`, kernel/resource.c).
    #[error("/proc/iomem shows no addresses: run pintrace with CAP_SYS_ADMIN")]
    Hidden,
    /// The file lists no system memory.
    #[error("/proc/iomem lists no System RAM")]
    None,
}

/// Memory that a scan does not read: persistent memory, and memory of devices such as CXL, unless a driver has added it to
/// the memory of the system (`System RAM (kmem)`).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct NotScanned {
    /// Name of the resource.
    pub name: String,
    /// Number of pages that are not part of System RAM.
    pub pages: u64,
}

/// Returns the memory that a scan does not read, by resource. Empty if there is none, or if the file cannot be read.
pub fn not_scanned(proc: &Path) -> Vec<NotScanned> {
    let bytes = std::fs::read(proc.join("iomem")).unwrap_or_default();
    parse_not_scanned(&String::from_utf8_lossy(&bytes))
}

/// Returns true if a resource with this name is memory beside System RAM. A `CXL Window` is only room for memory; the
/// memory in it is a `region`.
fn is_device_memory(name: &str) -> bool {
    let is_region = |name: &str| {
        let number = name.strip_prefix("region");
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    name.starts_with("Persistent Memory") || name == "Soft Reserved" || is_region(name)
}

fn parse_not_scanned(text: &str) -> Vec<NotScanned> {
    let all: Vec<(Range<u64>, &str)> = text.lines().filter_map(resource).collect();
    let ram = all.iter().filter(|(_, name)| name.starts_with("System RAM"));
    let ram: Vec<&Range<u64>> = ram.map(|(range, _)| range).collect();
    let mut found: Vec<NotScanned> = Vec::new();
    // A resource comes after the resource that contains it, and counts with that one.
    let mut counted = 0;
    for (range, name) in all.iter().filter(|(_, name)| is_device_memory(name)) {
        let range = range.start.max(counted)..range.end;
        if range.is_empty() {
            continue;
        }
        counted = range.end;
        let inside = |ram: &&Range<u64>| ram.end.min(range.end).saturating_sub(ram.start.max(range.start));
        let bytes = (range.end - range.start).saturating_sub(ram.iter().map(inside).sum());
        let pages = bytes >> PAGE_SHIFT;
        match found.iter_mut().find(|known| known.name == *name) {
            _ if pages == 0 => {}
            Some(known) => known.pages += pages,
            None => found.push(NotScanned {
                name: (*name).to_owned(),
                pages,
            }),
        }
    }
    found
}

/// Parses a line `first-last : name` into addresses and the name.
fn resource(line: &str) -> Option<(Range<u64>, &str)> {
    let (place, name) = line.trim_start().split_once(" : ")?;
    let (first, last) = place.split_once('-')?;
    let first = u64::from_str_radix(first, 16).ok()?;
    let last = u64::from_str_radix(last, 16).ok()?;
    Some((first..last.checked_add(1)?, name))
}

/// Returns the page frames of system memory as ranges in order, widened to multiples of [`CHUNK_PAGES`].
pub fn ranges(proc: &Path) -> Result<Vec<Range<u64>>, IomemError> {
    let path = proc.join("iomem");
    match std::fs::read(&path) {
        Ok(bytes) => parse(&String::from_utf8_lossy(&bytes)),
        Err(source) => Err(IomemError::Unreadable { path, source }),
    }
}

/// Parses a line `first-last : name` for each resource. Memory that was added later is `System RAM (driver)`, at any
/// depth.
fn parse(text: &str) -> Result<Vec<Range<u64>>, IomemError> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut hidden = false;
    for (bytes, name) in text.lines().filter_map(resource) {
        if !name.starts_with("System RAM") {
            continue;
        }
        let last = bytes.end - 1;
        hidden |= last == 0;
        if last > bytes.start {
            let (first, end) = (bytes.start >> PAGE_SHIFT, (last >> PAGE_SHIFT) + 1);
            ranges.push(first / CHUNK_PAGES * CHUNK_PAGES..end.next_multiple_of(CHUNK_PAGES));
        }
    }
    if ranges.is_empty() {
        return Err(if hidden {
            IomemError::Hidden
        } else {
            IomemError::None
        });
    }
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_widened_to_chunks_and_merged() {
        let text = "00000000-00000fff : Reserved\n00001000-0009fbff : System RAM\n\
                    00100000-7fffffff : System RAM\n  01000000-01ffffff : Kernel code\n\
                    100000000-13fffffff : System RAM (virtio_mem)\n";
        assert_eq!(
            parse(text).unwrap(),
            [0..0xc0, 0x100..0x8_0000, 0x10_0000..0x14_0000]
        );
    }

    #[test]
    fn memory_inside_another_resource_is_found() {
        let text = "100000000-1ffffffff : dax0.0\n  100000000-1ffffffff : System RAM (kmem)\n";
        assert_eq!(parse(text).unwrap().first(), Some(&(0x10_0000..0x20_0000)));
    }

    fn names_and_pages(text: &str) -> Vec<(String, u64)> {
        let found = parse_not_scanned(text).into_iter();
        found.map(|one| (one.name, one.pages)).collect()
    }

    /// Persistent memory of the command line (`memmap=1G!4G`) with a namespace.
    #[test]
    fn persistent_memory_is_not_scanned() {
        let text = "00001000-0009fbff : System RAM\n\
                    100000000-13fffffff : Persistent Memory (legacy)\n  \
                    100000000-13fffffff : namespace0.0\n\
                    140000000-17fffffff : System RAM\n";
        let legacy = "Persistent Memory (legacy)".to_owned();
        assert_eq!(names_and_pages(text), [(legacy, 0x4_0000)]);
    }

    /// An NVDIMM: the first half is a file system's, the second half is memory of the system (dax_kmem). The label area
    /// and the memory for struct pages are in neither.
    #[test]
    fn memory_that_dax_kmem_has_added_is_scanned() {
        let text = "100000000-17fffffff : Persistent Memory\n  \
                    100000000-13fffffff : namespace0.0\n  \
                    140000000-17fffffff : dax0.1\n    \
                    148000000-17fffffff : System RAM (kmem)\n";
        assert_eq!(
            names_and_pages(text),
            [("Persistent Memory".to_owned(), 0x4_8000)]
        );
        assert_eq!(
            parse(text).unwrap(),
            std::slice::from_ref(&(0x14_8000..0x18_0000))
        );
    }

    /// CXL memory: the first region is memory of the system, the second is a device (device dax). The rest of the window
    /// is empty.
    #[test]
    fn a_region_of_cxl_memory_is_not_scanned_and_an_empty_window_is_no_memory() {
        let text = "490000000-50fffffff : CXL Window 0\n  \
                    490000000-4cfffffff : region0\n    \
                    490000000-4cfffffff : dax0.0\n      \
                    490000000-4cfffffff : System RAM (kmem)\n  \
                    4d0000000-4dfffffff : region1\n    \
                    4d0000000-4dfffffff : dax1.0\n\
                    510000000-58fffffff : CXL Window 1\n";
        assert_eq!(names_and_pages(text), [("region1".to_owned(), 0x1_0000)]);
    }

    /// Memory for a specific purpose (`EFI_MEMORY_SP`): a high-bandwidth memory that nobody has claimed, and one that is
    /// memory of the system.
    #[test]
    fn soft_reserved_memory_is_not_scanned_unless_it_was_added() {
        let text = "100000000-13fffffff : Soft Reserved\n  \
                    100000000-13fffffff : dax0.0\n    \
                    100000000-13fffffff : System RAM (kmem)\n\
                    140000000-17fffffff : Soft Reserved\n  \
                    140000000-17fffffff : hmem.1\n";
        assert_eq!(names_and_pages(text), [("Soft Reserved".to_owned(), 0x4_0000)]);
    }

    #[test]
    fn a_machine_without_device_memory_has_nothing_that_is_not_scanned() {
        let text = "00001000-0009fbff : System RAM\nfed00000-fed003ff : HPET 0\n  \
                    fed00000-fed003ff : PNP0103:00\nf0000000-f1ffffff : regional\n";
        assert_eq!(names_and_pages(text), []);
        assert_eq!(names_and_pages("00000000-00000000 : Persistent Memory\n"), []);
    }

    #[test]
    fn hidden_addresses_and_missing_memory_are_distinguished() {
        assert!(matches!(
            parse("00000000-00000000 : System RAM\n"),
            Err(IomemError::Hidden)
        ));
        assert!(matches!(parse("x : y\n-\n"), Err(IomemError::None)));
    }
}
