//! Sends records to user space.

use pintrace_common::counters::Loss;

use crate::{count, maps};

/// Sends a record; counts it when the ring is full.
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

/// Sends a record that `fill` writes where it is to lie: what is large would not fit the stack.
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
