//! The folios of a udmabuf (drivers/dma-buf/udmabuf.c), which `memfd_pin_folios` pins.

use pintrace_kernel::table_layout::PinnedFolios;

use super::{Frames, PinTable, TableReader, UnknownTable};

/// Returns the table of the `dma_buf` at an address; nothing for a `dma_buf` of another exporter.
pub(super) fn tables(reader: &mut TableReader<'_>, dma_buf: u64) -> Result<Vec<PinTable>, UnknownTable> {
    let layout = reader.layout.tables.udmabuf.ok_or(UnknownTable)?;
    let release = reader.release_udmabuf.ok_or(UnknownTable)?;
    let at = |object: u64, offset: u32| object.wrapping_add(u64::from(offset));
    let memory = reader.memory;
    let exporter = memory
        .pointer(at(dma_buf, layout.ops))
        .and_then(|ops| memory.pointer(at(ops, layout.release)));
    if exporter != Some(release) {
        return Ok(Vec::new());
    }
    let udmabuf = memory.pointer(at(dma_buf, layout.private)).ok_or(UnknownTable)?;
    let frames = match layout.folios {
        PinnedFolios::Array { folios, nr } => {
            let array = memory.pointer(at(udmabuf, folios));
            let count = memory.half(at(udmabuf, nr));
            array
                .zip(count)
                .and_then(|(array, count)| reader.pages(array, count.into()))
        }
        PinnedFolios::List { head, node, folio } => {
            let offset = folio.wrapping_sub(node);
            list(reader, at(udmabuf, head), |entry| {
                // The folio may be before or after the list node.
                entry.wrapping_add_signed(i64::from(offset.cast_signed()))
            })
        }
    };
    Ok(vec![PinTable {
        purpose: "udmabuf",
        object: udmabuf,
        addresses: None,
        frames: frames.ok_or(UnknownTable)?,
    }])
}

/// Reads a `list_head` list. `folio` returns the address of an entry's pointer to its folio.
fn list(reader: &mut TableReader<'_>, head: u64, folio: impl Fn(u64) -> u64) -> Option<Frames> {
    let mut folios = Vec::new();
    let mut entry = reader.memory.pointer(head)?;
    while entry != head {
        reader.budget = reader.budget.checked_sub(2)?;
        folios.push(reader.memory.pointer(folio(entry))?);
        entry = reader.memory.pointer(entry)?;
    }
    Some(Frames::of_pages(reader.vmemmap, folios))
}
