//! Reads many elements of an array map in one system call (`BPF_MAP_LOOKUP_BATCH`, Linux 5.6).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use aya::Pod;
use aya::maps::{Array, IterableMap, MapData};

use super::bpf_call::bpf;

/// `enum bpf_cmd` (include/uapi/linux/bpf.h).
const BPF_MAP_LOOKUP_BATCH: libc::c_int = 24;

/// The member `batch` of `union bpf_attr`.
#[repr(C)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// Elements of an array map that were read together.
pub struct Batch<V> {
    values: Vec<V>,
    keys: Vec<u32>,
}

impl<V: Pod> Batch<V> {
    /// Makes room for a number of elements.
    #[must_use]
    pub fn of(elements: u32) -> Self {
        let elements = elements as usize;
        Self {
            values: Vec::with_capacity(elements),
            keys: vec![0; elements],
        }
    }

    /// Reads elements from index `first` on, as many as there is room for or as the map has, and returns them in order.
    ///
    /// # Errors
    ///
    /// The error of the system call.
    pub fn read(&mut self, map: &Array<MapData, V>, first: u32) -> io::Result<&[V]> {
        let map = IterableMap::<u32, V>::map(map).fd();
        self.values.clear();
        // The kernel begins after the element that `in_batch` names.
        let before = first.wrapping_sub(1);
        let mut after = 0u32;
        let mut attr = BatchAttr {
            in_batch: if first == 0 { 0 } else { &raw const before as u64 },
            out_batch: &raw mut after as u64,
            keys: self.keys.as_mut_ptr() as u64,
            values: self.values.as_mut_ptr() as u64,
            count: u32::try_from(self.keys.len()).map_err(io::Error::other)?,
            map_fd: u32::try_from(map.as_fd().as_raw_fd()).map_err(io::Error::other)?,
            elem_flags: 0,
            flags: 0,
        };
        // SAFETY: all addresses are those of memory that outlives the call: `count` keys of 4 bytes, and `count` values of
        // the size that the map has (checked when the map became an `Array`).
        let result = unsafe { bpf(BPF_MAP_LOOKUP_BATCH, &mut attr) };
        match result {
            // The kernel reports the end of the map as ENOENT, after it has written the elements.
            Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
            _ => {}
        }
        let read = (attr.count as usize).min(self.keys.len());
        // SAFETY: the kernel has written `read` values, and any bit pattern is valid (`Pod`).
        unsafe { self.values.set_len(read) };
        Ok(&self.values)
    }
}
