//! Checks in /proc/self/smaps that the kernel gave transparent huge pages.

use std::fs;

use crate::failure::{Explain, Failure, Result};

const REMEDY: &str = "give --reserve as root, or write madvise to \
     /sys/kernel/mm/transparent_hugepage/enabled (shared memory: advise to shmem_enabled)";

/// Fails, as "not available here", unless the mapping that begins at `address` has `bytes` in huge pages.
pub(super) fn verify(address: usize, bytes: usize) -> Result<()> {
    let smaps =
        fs::read_to_string("/proc/self/smaps").failing("cannot read /proc/self/smaps", "mount /proc")?;
    let huge = huge_bytes(&smaps, address);
    if huge >= bytes {
        return Ok(());
    }
    Err(Failure::unavailable(
        format!("the kernel gave {huge} of {bytes} bytes as transparent huge pages"),
        REMEDY,
    ))
}

/// Returns the bytes in huge pages of the mapping that begins at `address`.
fn huge_bytes(smaps: &str, address: usize) -> usize {
    let start = format!("{address:x}-");
    let is_head = |line: &str| {
        line.split('-')
            .next()
            .is_some_and(|word| usize::from_str_radix(word, 16).is_ok())
    };
    let mut lines = smaps.lines().skip_while(|line| !line.starts_with(&start));
    lines.next();
    lines
        .take_while(|line| !is_head(line))
        .filter_map(|line| {
            let (name, rest) = line.split_once(':')?;
            let counted = ["AnonHugePages", "ShmemPmdMapped"].contains(&name);
            let kilobytes: usize = rest.trim().strip_suffix(" kB")?.parse().ok()?;
            counted.then_some(kilobytes * 1024)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "7f0000000000-7f0000200000 rw-p 00000000 00:00 0 \nSize: 2048 kB\nAnonHugePages:      2048 kB\nShmemPmdMapped:        0 kB\n\
        7f0000400000-7f0000600000 rw-p 00000000 00:00 0 \nSize: 2048 kB\nAnonHugePages:         0 kB\nShmemPmdMapped:        0 kB\n";

    #[test]
    fn only_the_mapping_at_the_address_counts() {
        assert_eq!(huge_bytes(SMAPS, 0x7f00_0000_0000), 2 << 20);
        assert_eq!(huge_bytes(SMAPS, 0x7f00_0040_0000), 0);
        assert_eq!(huge_bytes(SMAPS, 0x7f00_0080_0000), 0);
    }
}
