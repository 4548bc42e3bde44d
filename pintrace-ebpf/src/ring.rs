//! Sends records to user space.

use pintrace_common::counters::Loss;

use crate::{count, maps};

/// Sends a record, or counts a loss if the ring is full.
#[inline(always)]
pub fn emit<T: 'static>(record: T) {
    match maps::RING.reserve::<T>(0) {
        Some(mut entry) => {
            entry.write(record);
            entry.submit(0);
        }
        None => count::loss(Loss::RingFull, 1),
    }
}

/// Sends a record that `fill` writes in the ring itself, for records that are too large for the stack.
#[inline(always)]
pub fn emit_in_place<T: 'static>(fill: impl FnOnce(*mut T)) {
    match maps::RING.reserve::<T>(0) {
        Some(mut entry) => {
            fill(entry.as_mut_ptr());
            entry.submit(0);
        }
        None => count::loss(Loss::RingFull, 1),
    }
}
