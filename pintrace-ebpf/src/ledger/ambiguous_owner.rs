//! Marks the extents among the owners of a folio after a release whose owner was chosen by rule.

use pintrace_common::ledger::{EXTENT_BIT, Extent, OWNER_CELLS};

use crate::map_ref::Lookup;
use crate::{
    compat::loops,
    ledger::{multi_owner, owners, partial_release::mark, releaser::ReleaseCode},
    maps,
};

/// Marks the extents that own pins on a multi-owner folio and to which a release may have belonged. A rule chose the
/// owner of the release, so the pages held of each such extent may be wrong. `code` is a [`ReleaseCode`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_mark_ambiguous_owner(head: u64, code: u64) -> u32 {
    let mut marking = Marking {
        head,
        code,
        blocks: u64::from(multi_owner::blocks(head)),
    };
    loops::repeat::<{ loops::OWNER_BLOCKS }, _>(block_step, &mut marking);
    0
}

struct Marking {
    head: u64,
    code: u64,
    blocks: u64,
}

extern "C" fn block_step(index: u32, marking: *mut Marking) -> i64 {
    // SAFETY: the loop passes the state on.
    let marking = unsafe { &mut *marking };
    if u64::from(index) >= marking.blocks {
        return 1;
    }
    pintrace_mark_block(marking.head, index, marking.code);
    0
}

/// Marks the extents of one block.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_mark_block(head: u64, n: u32, code: u64) -> u32 {
    let code = ReleaseCode(code);
    let mut cell = 0;
    while cell < OWNER_CELLS as u32 {
        if let Some(owner) = multi_owner::owner(head, n, cell)
            && owner & EXTENT_BIT != 0
            && owners::rank(owner, 0, code.kind(), code.page(head)) & owners::CANDIDATE != 0
            && let Some(extent) = maps::EXTENTS.at(owner & !EXTENT_BIT)
        {
            mark(owner & !EXTENT_BIT, extent, Extent::INEXACT_MARKS);
        }
        cell += 1;
    }
    0
}
