//! Sending records to user space.

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
