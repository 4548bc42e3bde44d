//! The ioctl PAGEMAP_SCAN on this process (Linux 6.7).

use std::fs::File;
use std::os::fd::AsRawFd;

use crate::failure::{Explain, Result};

/// `struct pm_scan_arg` (include/uapi/linux/fs.h).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct ScanArguments {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct PageRegion {
    start: u64,
    end: u64,
    categories: u64,
}

/// `PM_SCAN_WP_MATCHING`.
const PROTECT: u64 = 1;
/// `PM_SCAN_CHECK_WPASYNC`.
const CHECK_ASYNC: u64 = 1 << 1;
/// `PAGE_IS_PRESENT`.
const PRESENT: u64 = 1 << 3;

mod raw {
    nix::ioctl_readwrite!(pagemap_scan, b'f', 16, super::ScanArguments);
}

/// Scans a range for present pages. With `protect`, the kernel write-protects these pages through userfaultfd.
pub(crate) fn scan((start, length): (usize, usize), protect: bool) -> Result<()> {
    let pagemap =
        File::open("/proc/self/pagemap").failing("cannot open /proc/self/pagemap", "mount /proc")?;
    let mut regions = [PageRegion::default(); 64];
    let mut arguments = ScanArguments {
        size: size_of::<ScanArguments>() as u64,
        flags: if protect { PROTECT | CHECK_ASYNC } else { 0 },
        start: start as u64,
        end: (start + length) as u64,
        vec: regions.as_mut_ptr().expose_provenance() as u64,
        vec_len: regions.len() as u64,
        category_mask: PRESENT,
        return_mask: PRESENT,
        ..ScanArguments::default()
    };
    // SAFETY: the structure has the layout that the ioctl reads and writes, and the array outlives the call.
    unsafe { raw::pagemap_scan(pagemap.as_raw_fd(), &raw mut arguments) }
        .unavailable("cannot scan by PAGEMAP_SCAN", "use Linux 6.7 or later")
        .map(drop)
}
