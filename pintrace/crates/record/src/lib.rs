//! Recordings: a stream of events in a file. A recording holds inputs only, so this crate does not depend on the model.
//!
//! [`Recording`] writes a file, [`EventLog`] keeps the events of a session for a file that begins later, [`Writer`] writes to any output, [`Reader`] reads from any input. [`mod@format`] describes
//! the layout.

pub mod file;
pub mod format;
pub mod log;
pub mod reader;
pub mod writer;

#[cfg(test)]
mod tests;

pub use file::{CreateError, Existing, Recording, WriteError};
pub use log::{EventLog, LogError, LogFile};
pub use reader::{Place, ReadError, Reader};
pub use writer::{EncodeError, Writer};
