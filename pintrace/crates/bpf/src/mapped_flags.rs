//! One byte for each index, in an array map that user space and the BPF programs share (`BPF_F_MMAPABLE`, Linux 5.5). A
//! program sets the byte of what it has changed, and user space looks only at what has changed.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use aya::maps::{Array, IterableMap, MapData};

/// Bytes of a value of the map.
const WORD: usize = size_of::<u64>();

/// The mapped bytes.
#[derive(Debug)]
pub struct MappedFlags {
    words: NonNull<AtomicU64>,
    length: usize,
}

// SAFETY: the words are only accessed atomically, and stay mapped as long as the value lives.
unsafe impl Send for MappedFlags {}

impl MappedFlags {
    /// Maps an array.
    ///
    /// # Errors
    ///
    /// The error of mmap(2), such as that of a map without `BPF_F_MMAPABLE`.
    pub fn of(map: &Array<MapData, u64>) -> io::Result<Self> {
        let length = map.len() as usize;
        let descriptor = IterableMap::<u32, u64>::map(map).fd().as_fd().as_raw_fd();
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: without an address the kernel chooses a free range; nothing that exists is replaced.
        let words = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length * WORD,
                access,
                libc::MAP_SHARED,
                descriptor,
                0,
            )
        };
        if words == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            words: NonNull::new(words.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?,
            length,
        })
    }

    /// Clears the flags that are set, and appends their indices in ascending order.
    ///
    /// A program sets the flag after the change. The exchange of the flag comes before each later read, so a change that
    /// such a read does not see sets the flag again.
    pub fn take(&self, indices: &mut Vec<u32>) {
        for (number, word) in self.words().iter().enumerate() {
            if word.load(Ordering::Relaxed) == 0 {
                continue;
            }
            // SAFETY: the bytes of a live word. Programs store single bytes, so each byte is exchanged by itself.
            let bytes = unsafe { std::slice::from_raw_parts(word.as_ptr().cast::<AtomicU8>(), WORD) };
            for (place, byte) in bytes.iter().enumerate() {
                if byte.load(Ordering::Relaxed) != 0 && byte.swap(0, Ordering::SeqCst) != 0 {
                    indices.extend(u32::try_from(number * WORD + place));
                }
            }
        }
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: `length` words are mapped as long as `self` lives.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr(), self.length) }
    }
}

impl Drop for MappedFlags {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `of`, and no reference to it outlives the value. The result is of no use.
        let _ = unsafe { libc::munmap(self.words.as_ptr().cast(), self.length * WORD) };
    }
}

#[cfg(test)]
mod tests {
    use std::mem::ManuallyDrop;

    use super::*;

    #[test]
    fn set_flags_are_returned_once_in_order() {
        let words = [0, 1 << 8 | 1 << 56, 0, 1].map(AtomicU64::new);
        // The words are not mapped, so they are not unmapped either.
        let flags = ManuallyDrop::new(MappedFlags {
            words: NonNull::from(&words[0]),
            length: words.len(),
        });
        let mut indices = vec![7];
        flags.take(&mut indices);
        assert_eq!(indices, [7, 9, 15, 24]);
        flags.take(&mut indices);
        assert_eq!(indices.len(), 4);
        words[2].store(1 << 16, Ordering::Relaxed);
        flags.take(&mut indices);
        assert_eq!(indices.last(), Some(&18));
    }
}
