//! Pin calls: what they took, pinned and failed with, by process and subsystem.

pub mod errno;
mod in_flight;
mod table;
pub mod text;
pub(crate) mod totals;

pub(crate) use in_flight::CallsInFlight;
pub use in_flight::InFlight;
pub use table::PinCallRow;
pub(crate) use table::PinCallTable;
pub use totals::CallTotals;
