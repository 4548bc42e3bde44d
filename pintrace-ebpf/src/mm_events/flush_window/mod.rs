//! Pending-flush windows: from the write protection of a range to the end of the TLB flush.

pub mod active;
pub mod events;
pub mod stats;
