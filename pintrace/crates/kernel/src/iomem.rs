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
    for line in text.lines() {
        let Some((place, name)) = line.trim_start().split_once(" : ") else {
            continue;
        };
        if !name.starts_with("System RAM") {
            continue;
        }
        let Some((first, last)) = place.split_once('-') else {
            continue;
        };
        let (Ok(first), Ok(last)) = (u64::from_str_radix(first, 16), u64::from_str_radix(last, 16)) else {
            continue;
        };
        hidden |= last == 0;
        if last > first {
            let (first, end) = (first >> PAGE_SHIFT, (last >> PAGE_SHIFT) + 1);
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

    #[test]
    fn hidden_addresses_and_missing_memory_are_distinguished() {
        assert!(matches!(
            parse("00000000-00000000 : System RAM\n"),
            Err(IomemError::Hidden)
        ));
        assert!(matches!(parse("x : y\n-\n"), Err(IomemError::None)));
    }
}
