//! Recordings: the stream in a file. Inputs only, so it never sees the model.
//!
//! [`Recording`] writes a file, [`Writer`] writes anywhere, [`Reader`] reads from anywhere. The
//! layout stands in [`mod@format`], what older and newer versions may expect in [`compat`].

pub mod compat;
pub mod file;
pub mod format;
pub mod reader;
pub mod writer;

#[cfg(test)]
mod tests;

pub use file::{CreateError, Existing, Recording, WriteError};
pub use reader::{ReadError, Reader};
pub use writer::{EncodeError, Writer};
