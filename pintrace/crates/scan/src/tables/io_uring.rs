//! The tables of an io_uring (`struct io_ring_ctx`, include/linux/io_uring_types.h): registered buffers, provided-buffer
//! rings, and the ring's own memory if user space provides the memory.

use pintrace_kernel::table_layout::{BufferEnd, BufferLayout, BufferRings, BufferTable, PageArray};

use super::{Frames, PinTable, TableReader, UnknownTable, xarray};
use crate::kernel_memory::low_half;

/// Lists in `io_ring_ctx.io_bl` (`BGID_ARRAY`, io_uring/kbuf.c).
const FIRST_LISTS: u64 = 64;
/// Most words of the beginning of an `io_mapped_ubuf`.
const MOST_WORDS: u32 = 8;

/// Returns the tables of the ring at an address.
pub(super) fn tables(reader: &mut TableReader<'_>, ring: u64) -> Result<Vec<PinTable>, UnknownTable> {
    let layout = reader.layout.tables.io_uring.ok_or(UnknownTable)?;
    let mut tables = registered_buffers(reader, ring, layout.buffers, layout.buffer).ok_or(UnknownTable)?;
    if let Some(rings) = layout.buffer_rings {
        tables.extend(buffer_rings(reader, ring, rings).ok_or(UnknownTable)?);
    }
    for array in layout.ring_memory.into_iter().flatten() {
        let frames = reader.page_array(ring, array).ok_or(UnknownTable)?;
        tables.push(PinTable {
            // Pinned only if user space provides the memory (IORING_SETUP_NO_MMAP).
            purpose: "memory of the ring",
            // The array is part of the ring, and a ring has several arrays.
            object: ring.wrapping_add(u64::from(array.pages)),
            addresses: None,
            frames,
        });
    }
    tables.retain(|table| !table.frames.is_empty());
    Ok(tables)
}

/// Returns a table for each registered buffer. `None` if the table of buffers cannot be read.
fn registered_buffers(
    reader: &mut TableReader<'_>,
    ring: u64,
    table: BufferTable,
    layout: BufferLayout,
) -> Option<Vec<PinTable>> {
    let at = |offset: u32| ring.wrapping_add(u64::from(offset));
    let (array, count) = match table {
        BufferTable::Array {
            user_bufs,
            nr_user_bufs,
        } => (at(user_bufs), at(nr_user_bufs)),
        BufferTable::Nodes { nodes, nr, .. } => (at(nodes), at(nr)),
    };
    let (array, count) = (reader.memory.word(array)?, reader.memory.half(count)?);
    if array == 0 || count == 0 {
        return Some(Vec::new());
    }
    let mut tables = Vec::new();
    let mut slots = reader.array(array, count.into())?;
    // An empty slot is null, or points at one buffer without pages (`dummy_ubuf`).
    slots.retain(|slot| *slot != 0);
    slots.dedup();
    for slot in slots {
        let buffer = match table {
            BufferTable::Array { .. } => Some(slot),
            BufferTable::Nodes { buf, .. } => reader.memory.pointer(slot.wrapping_add(u64::from(buf))),
        };
        // A slot that changes meanwhile is no reason to lose the others.
        tables.extend(buffer.and_then(|buffer| registered_buffer(reader, buffer, layout)));
    }
    Some(tables)
}

/// Returns the table of an `io_mapped_ubuf`.
fn registered_buffer(reader: &mut TableReader<'_>, buffer: u64, layout: BufferLayout) -> Option<PinTable> {
    let head = reader
        .memory
        .words(buffer, (layout.bvec.div_ceil(8)).min(MOST_WORDS) as usize)?;
    let word = |offset: u32| head.get(offset as usize / 8).copied();
    let half = |offset: u32| Some(low_half(word(offset)? >> (offset % 8 * 8)));
    let start = word(layout.ubuf)?;
    let end = match layout.extent {
        BufferEnd::Address(offset) => word(offset)?,
        BufferEnd::Length(offset) => start.checked_add(half(offset)?.into())?,
    };
    let bvecs = u64::from(half(layout.nr_bvecs)?);
    let words = reader.array(buffer.wrapping_add(u64::from(layout.bvec)), bvecs * 2)?;
    // The pages of a large folio may share one bvec, and then keep one pin (`io_coalesce_buffer`).
    Some(PinTable {
        purpose: "registered buffer",
        object: buffer,
        addresses: (start < end).then_some(start..end),
        frames: Frames::of_pages(reader.vmemmap, words.into_iter().step_by(2)),
    })
}

/// Returns a table for each provided-buffer ring. `None` if the lists cannot be read.
fn buffer_rings(reader: &mut TableReader<'_>, ring: u64, layout: BufferRings) -> Option<Vec<PinTable>> {
    let at = |offset: u32| ring.wrapping_add(u64::from(offset));
    let mut lists = xarray::entries(reader, at(layout.lists), layout.xarray)?;
    if let Some(first) = layout.first_lists
        && let Some(first) = reader.memory.pointer(at(first))
    {
        lists.extend((0..FIRST_LISTS).map(|index| first.wrapping_add(index * u64::from(layout.list_bytes))));
    }
    let table = |list: u64| {
        Some(PinTable {
            purpose: "provided-buffer ring",
            object: list,
            addresses: None,
            frames: reader.page_array(list, layout.pages)?,
        })
    };
    Some(lists.into_iter().filter_map(table).collect())
}

impl TableReader<'_> {
    /// Reads the page array of an object. Empty if the object has no pages. `None` if the pages cannot be read.
    pub(super) fn page_array(&mut self, object: u64, array: PageArray) -> Option<Frames> {
        let at = |offset: u32| object.wrapping_add(u64::from(offset));
        let count = self.memory.half(at(array.nr))?;
        let count = if array.nr_bytes == 2 {
            count & 0xffff
        } else {
            count
        };
        match self.memory.word(at(array.pages))? {
            0 => Some(Frames::default()),
            _ if count == 0 => Some(Frames::default()),
            pages => self.pages(pages, count.into()),
        }
    }
}
