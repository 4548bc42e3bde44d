//! The extents that user space has to read again.

use crate::{map_ref::Lookup, maps};

/// Tells user space that an extent has changed. The change comes first.
#[inline(always)]
pub fn mark(index: u32) {
    if let Some(flags) = maps::CHANGED_EXTENTS.at(index >> 3) {
        let flag = flags.as_ptr().cast::<u8>();
        // SAFETY: one of the eight bytes of a live map value. A store of one byte needs no atomic operation.
        unsafe { flag.add((index & 7) as usize).write_volatile(1) };
    }
}
