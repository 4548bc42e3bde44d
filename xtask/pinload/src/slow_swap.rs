//! Swap space on a slow device: memory that is paged out there takes long to pin.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use crate::delayed_device::DelayedDevice;
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, KernelSetting, PAGE};
use crate::wait::wait_for;

const REMEDY: &str = "run as root, on a kernel with swap";
/// Longest time for paging out.
const PATIENCE: Duration = Duration::from_mins(1);

/// A swap device in use, which no longer is when dropped.
pub(crate) struct SlowSwap {
    path: CString,
    /// Keeps the kernel from reading several pages at once.
    _page_cluster: KernelSetting,
    _device: DelayedDevice,
}

impl SlowSwap {
    /// Makes a device of `pages` pages on which each read or write takes `delay`, and swaps on it.
    pub(crate) fn new(pages: u64, delay: Duration) -> Result<Self> {
        // The kernel drops pages from the swap cache early if more than half of the swap space is used
        // (`mem_cgroup_swap_full`, mm/memcontrol.c).
        let mib = (4 * pages * PAGE as u64).div_ceil(1 << 20) + 1;
        let device = DelayedDevice::in_memory("pinload_swap", delay, mib)?;
        write_header(&device, mib)?;
        let page_cluster = KernelSetting::word("/proc/sys/vm/page-cluster", "0")?;
        let path = CString::new(device.path().as_os_str().as_bytes())
            .map_err(|_| Failure::failed("the path of the device has a zero byte".to_owned(), REMEDY))?;
        // SAFETY: a path that ends in a zero byte.
        Errno::result(unsafe { libc::swapon(path.as_ptr(), 0) })
            .unavailable("cannot swap on the device", REMEDY)?;
        Ok(Self {
            path,
            _page_cluster: page_cluster,
            _device: device,
        })
    }

    /// Pages memory out, until less than a sixteenth of it is in memory.
    pub(crate) fn page_out(buffer: &Buffer) -> Result<()> {
        let mut resident = Vec::new();
        let out = wait_for(PATIENCE, Duration::from_millis(50), || {
            advise_pageout(buffer)?;
            resident = resident_pages(buffer)?;
            // After the kernel has written a page, the page stays in the swap cache. A read maps the page again, and then the
            // kernel can drop the page without a write.
            for address in &resident {
                read_byte(*address);
            }
            // Some pages may be in the caches of the CPUs, from which the kernel does not reclaim.
            Ok(resident.len() * 16 <= buffer.bytes() / PAGE)
        })?;
        if out {
            return Ok(());
        }
        Err(Failure::unavailable(
            format!("{} pages stay in memory", resident.len()),
            "close other programs that use the memory",
        ))
    }
}

impl Drop for SlowSwap {
    fn drop(&mut self) {
        // An error leaves the device in use, which is harmless in a guest.
        // SAFETY: a path that ends in a zero byte.
        let _ = unsafe { libc::swapoff(self.path.as_ptr()) };
    }
}

/// Writes a `union swap_header` (include/linux/swap.h), version 1.
fn write_header(device: &DelayedDevice, mib: u64) -> Result<()> {
    let pages = u32::try_from((mib << 20) / PAGE as u64).unwrap_or(u32::MAX);
    let mut header = vec![0; PAGE];
    header[1024..1028].copy_from_slice(&1u32.to_le_bytes());
    header[1028..1032].copy_from_slice(&(pages - 1).to_le_bytes());
    header[PAGE - 10..].copy_from_slice(b"SWAPSPACE2");
    let opened = OpenOptions::new().write(true).open(device.path());
    let written = opened.and_then(|file| {
        file.write_all_at(&header, 0)?;
        file.sync_all()
    });
    written.unavailable("cannot write a swap header", REMEDY)
}

fn advise_pageout(buffer: &Buffer) -> Result<()> {
    let (address, length) = buffer.extent();
    let pointer = std::ptr::with_exposed_provenance_mut(address);
    // SAFETY: the memory is mapped, and its contents stay.
    Errno::result(unsafe { libc::madvise(pointer, length, libc::MADV_PAGEOUT) })
        .unavailable("cannot page memory out", "use kernel 5.4 or later, with swap")?;
    Ok(())
}

/// Reads one byte of a page.
fn read_byte(address: usize) {
    let pointer = std::ptr::with_exposed_provenance::<u8>(address);
    // SAFETY: the page is mapped.
    let _ = unsafe { pointer.read_volatile() };
}

/// Returns the addresses of the pages that are in memory, in the mapping or in the swap cache (`mincore_pte_range`, mm/mincore.c).
fn resident_pages(buffer: &Buffer) -> Result<Vec<usize>> {
    let (address, length) = buffer.extent();
    let mut pages = vec![0u8; length / PAGE];
    let pointer = std::ptr::with_exposed_provenance_mut(address);
    // SAFETY: the vector has one byte for each page of the mapping.
    Errno::result(unsafe { libc::mincore(pointer, length, pages.as_mut_ptr()) })
        .failing("cannot see which pages are in memory", REMEDY)?;
    let addresses = (address..).step_by(PAGE).zip(pages);
    Ok(addresses
        .filter_map(|(address, page)| (page & 1 != 0).then_some(address))
        .collect())
}
