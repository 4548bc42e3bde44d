//! The metrics of `pintrace serve`.
