//! Marks the extents among the owners of a folio after a release whose owner was chosen by rule.

use pintrace_common::ledger::{EXTENT_BIT, Extent, OWNER_CELLS};

use crate::map_ref::Lookup;
use crate::{
    ledger::{multi_owner, owners, partial_release::mark},
    maps,
};

/// Marks the extents that own pins on a multi-owner folio and that code of this kind may have pinned. A rule chose the
/// owner of a release from the folio, so the pages held of each such extent may be wrong.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_mark_ambiguous_owner(head: u64, kind: u64) -> u32 {
    let mut cell = 0;
    while cell < OWNER_CELLS as u32 {
        if let Some(owner) = multi_owner::owner(head, cell as usize)
            && owner & EXTENT_BIT != 0
            && owners::rank(owner, 0, kind) & owners::CANDIDATE != 0
            && let Some(extent) = maps::EXTENTS.at(owner & !EXTENT_BIT)
        {
            mark(owner & !EXTENT_BIT, extent, Extent::INEXACT_MARKS);
        }
        cell += 1;
    }
    0
}
