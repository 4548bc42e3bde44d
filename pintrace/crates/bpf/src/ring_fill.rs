//! Reads how full a ring buffer is, from the two pages with the positions of consumer and producer.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use super::map_info;

/// Bytes of a page. A ring buffer begins with the page of the consumer, and then has the page of the producer
/// (`bpf_ringbuf`, kernel/bpf/ringbuf.c).
const PAGE: usize = 4096;

/// The fill of one ring buffer. The value maps the two pages read-only.
#[derive(Debug)]
pub struct RingFill {
    pages: NonNull<u8>,
    size: u64,
    most: AtomicU64,
}

// SAFETY: the pages are only read, by atomic loads, and stay mapped as long as the value lives.
unsafe impl Send for RingFill {}
// SAFETY: as above.
unsafe impl Sync for RingFill {}

impl RingFill {
    /// Maps the pages of a ring buffer. An error means that the descriptor is no ring buffer.
    pub fn of(ring: BorrowedFd<'_>) -> io::Result<Self> {
        let size = map_info::read(ring.as_raw_fd())?.max_entries;
        let (length, access) = (2 * PAGE, libc::PROT_READ);
        // SAFETY: without an address the kernel chooses a free range; nothing that exists is replaced.
        let pages = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                access,
                libc::MAP_SHARED,
                ring.as_raw_fd(),
                0,
            )
        };
        if pages == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            pages: NonNull::new(pages.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?,
            size: u64::from(size),
            most: AtomicU64::new(0),
        })
    }

    /// Returns the size of the ring buffer in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the bytes that wait to be read, headers of records included, and remembers the largest result. The
    /// reader calls this before it reads, because the fill only grows until then.
    pub fn note(&self) -> u64 {
        // The consumer first: it never overtakes the producer, so the difference is not negative.
        let consumer = self.position(0);
        let producer = self.position(PAGE);
        let used = distance(consumer, producer, self.size);
        self.most.fetch_max(used, Ordering::Relaxed);
        used
    }

    /// Returns the largest result of [`Self::note`] so far.
    pub fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }

    fn position(&self, offset: usize) -> u64 {
        // SAFETY: both pages are mapped as long as `self` lives, and begin with an aligned word, which the kernel and the
        // reader change by atomic stores.
        let position = unsafe { AtomicU64::from_ptr(self.pages.add(offset).cast().as_ptr()) };
        position.load(Ordering::Acquire)
    }
}

impl Drop for RingFill {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `of`, and no reference to it outlives the value. The result is of no use.
        let _ = unsafe { libc::munmap(self.pages.as_ptr().cast(), 2 * PAGE) };
    }
}

/// Returns the bytes between two positions. Positions only grow, and wrap around at 2^64. The reader may have read
/// records that were written after the first load, so the difference may exceed the size.
const fn distance(consumer: u64, producer: u64, size: u64) -> u64 {
    let used = producer.wrapping_sub(consumer);
    if used < size { used } else { size }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn the_fill_is_the_distance_and_at_most_the_size() {
        assert_eq!(distance(0, 0, 4096), 0);
        assert_eq!(distance(4000, 4096, 4096), 96);
        assert_eq!(distance(u64::MAX - 7, 8, 4096), 16);
        assert_eq!(distance(0, u64::MAX, 4096), 4096);
    }

    #[test]
    fn a_descriptor_that_is_no_ring_buffer_is_an_error() {
        assert!(RingFill::of(std::io::stdin().as_fd()).is_err());
    }
}
