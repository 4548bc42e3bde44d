//! The entries of an xarray (include/linux/xarray.h).

use pintrace_kernel::table_layout::XarrayLayout;

use super::TableReader;

/// Slots of a node (`XA_CHUNK_SIZE`).
const SLOTS: u64 = 64;
/// Most levels: an index has at most 64 bits, and a level 6.
const MOST_LEVELS: usize = 11;
/// Entries up to here are no pointers (`xa_is_node`).
const LAST_SPECIAL: u64 = 4096;

/// Returns the pointers that the xarray with this head contains. `None` if a node cannot be read, or if the budget is
/// used up.
pub(super) fn entries(reader: &mut TableReader<'_>, head: u64, layout: XarrayLayout) -> Option<Vec<u64>> {
    let mut found = Vec::new();
    let mut level = vec![reader.memory.word(head)?];
    for _ in 0..MOST_LEVELS {
        let mut below = Vec::new();
        for entry in level {
            match entry & 3 {
                0 if entry != 0 => found.push(entry),
                2 if entry > LAST_SPECIAL => {
                    let slots = (entry - 2).wrapping_add(u64::from(layout.slots));
                    below.extend(reader.array(slots, SLOTS)?);
                }
                _ => {}
            }
        }
        if below.is_empty() {
            break;
        }
        level = below;
    }
    Some(found)
}
