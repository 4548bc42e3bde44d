//! Pending-flush windows: from the moment at which a range is write-protected to the end of the flush.

pub mod active;
pub mod events;
pub mod stats;
