//! The calls of io_uring_register(2) that the cases need.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc::{SYS_io_uring_register, iovec, syscall};

use super::memory::whole;
use super::ring::Ring;
use crate::failure::{Explain, Failure, Result};
use crate::memory::Buffer;

const NO_MEMLOCK: &str = "raise the limit of locked memory (ulimit -l), or run as root";
const BUFFERS: u32 = 0;
const NO_BUFFERS: u32 = 1;
const BUFFERS2: u32 = 15;
const BUFFERS_UPDATE: u32 = 16;
const RING_FDS: u32 = 20;
const PROVIDED_BUFFER_RING: u32 = 22;
/// IORING_RSRC_REGISTER_SPARSE.
const SPARSE: u32 = 1;
/// Bytes of an entry of a ring of provided buffers.
const PROVIDED_ENTRY: usize = 16;

/// `struct io_uring_rsrc_register`.
#[repr(C)]
struct Table {
    slots: u32,
    flags: u32,
    reserved: u64,
    vectors: u64,
    tags: u64,
}

/// `struct io_uring_rsrc_update2`.
#[repr(C)]
struct SlotUpdate {
    slot: u32,
    reserved: u32,
    vectors: u64,
    tags: u64,
    count: u32,
    reserved2: u32,
}

/// `struct io_uring_rsrc_update`, which also registers rings.
#[repr(C)]
struct RingUpdate {
    slot: u32,
    reserved: u32,
    descriptor: u64,
}

/// `struct io_uring_buf_reg`.
#[repr(C)]
struct ProvidedBufferRing {
    address: u64,
    entries: u32,
    group: u16,
    flags: u16,
    reserved: [u64; 3],
}

const _: () = assert!(
    size_of::<Table>() == 32
        && size_of::<SlotUpdate>() == 32
        && size_of::<RingUpdate>() == 16
        && size_of::<ProvidedBufferRing>() == 40
);

impl Ring {
    /// Registers the whole buffer.
    pub(super) fn register(&self, buffer: &Buffer) -> Result<()> {
        self.register_parts(&[whole(buffer)])
    }

    /// Registers parts of buffers.
    pub(super) fn register_parts(&self, parts: &[iovec]) -> Result<()> {
        self.call(BUFFERS, parts.as_ptr(), parts.len())
            .map(drop)
            .failing(&format!("cannot register {} buffers", parts.len()), NO_MEMLOCK)
    }

    /// Removes all buffers.
    pub(super) fn unregister(&self) -> Result<()> {
        self.call::<iovec>(NO_BUFFERS, std::ptr::null(), 0)
            .map(drop)
            .failing("cannot remove the buffers", "report this as a bug")
    }

    /// Registers a table of empty slots.
    pub(super) fn register_empty_table(&self, slots: u32) -> Result<()> {
        let none = iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        let empty = vec![none; slots as usize];
        let mut table = Table {
            slots,
            flags: SPARSE,
            reserved: 0,
            vectors: 0,
            tags: 0,
        };
        let register = |table: &Table| self.call(BUFFERS2, table, size_of::<Table>());
        let result = register(&table).or_else(|_| {
            // 5.13 to 5.18 have no flag, and accept empty vectors.
            table.flags = 0;
            table.vectors = empty.as_ptr().expose_provenance() as u64;
            register(&table)
        });
        result.map(drop).unavailable(
            "cannot register a table of empty slots",
            "use kernel 5.13 or later (IORING_REGISTER_BUFFERS2)",
        )
    }

    /// Puts a buffer into a slot.
    pub(super) fn fill_slot(&self, slot: u32, buffer: &Buffer) -> Result<()> {
        self.update_slot(slot, whole(buffer))
            .failing(&format!("cannot fill slot {slot}"), NO_MEMLOCK)
    }

    /// Puts a part of a buffer into a slot.
    pub(super) fn fill_slot_with(&self, slot: u32, part: iovec) -> Result<()> {
        self.update_slot(slot, part)
            .failing(&format!("cannot fill slot {slot}"), NO_MEMLOCK)
    }

    /// Removes the buffer in a slot.
    pub(super) fn empty_slot(&self, slot: u32) -> Result<()> {
        let none = iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        self.update_slot(slot, none)
            .failing(&format!("cannot empty slot {slot}"), "report this as a bug")
    }

    fn update_slot(&self, slot: u32, vector: iovec) -> nix::Result<()> {
        let update = SlotUpdate {
            slot,
            reserved: 0,
            vectors: (&raw const vector).expose_provenance() as u64,
            tags: 0,
            count: 1,
            reserved2: 0,
        };
        self.call(BUFFERS_UPDATE, &raw const update, size_of::<SlotUpdate>())
            .map(drop)
    }

    /// Registers the ring with the calling thread, which keeps the ring until the thread ends.
    pub(super) fn register_with_thread(&self) -> Result<()> {
        let update = RingUpdate {
            slot: u32::MAX,
            reserved: 0,
            descriptor: u64::try_from(self.as_raw_fd()).unwrap_or(u64::MAX),
        };
        let registered = self.call(RING_FDS, &raw const update, 1).unavailable(
            "cannot register the ring with a thread",
            "use kernel 5.18 or later (IORING_REGISTER_RING_FDS)",
        )?;
        if registered == 1 {
            return Ok(());
        }
        Err(Failure::failed(
            format!("the kernel registered {registered} rings, not 1"),
            "report this as a bug",
        ))
    }

    /// Registers the buffer as a ring of provided buffers.
    pub(super) fn register_buffer_ring(&self, buffer: &Buffer) -> Result<()> {
        let ring = ProvidedBufferRing {
            address: buffer.address() as u64,
            entries: u32::try_from(buffer.bytes() / PROVIDED_ENTRY).unwrap_or(0),
            group: 0,
            flags: 0,
            reserved: [0; 3],
        };
        self.call(PROVIDED_BUFFER_RING, &raw const ring, 1)
            .map(drop)
            .unavailable(
                "cannot register a ring of provided buffers",
                "use kernel 5.19 or later (IORING_REGISTER_PBUF_RING)",
            )
    }

    fn call<T>(&self, operation: u32, argument: *const T, count: usize) -> nix::Result<i64> {
        // SAFETY: each caller passes a structure of the operation, `count` vectors, or nothing. They outlive the call. The
        // memory that a vector names is only given to the kernel, and no request ever uses it.
        let result = unsafe {
            syscall(
                SYS_io_uring_register,
                self.as_raw_fd(),
                operation,
                argument,
                count,
            )
        };
        Errno::result(result)
    }
}
