//! Streams for the tests of other crates, built by hand or arbitrary, and comparison of generated files.

pub mod arbitrary;
pub mod event_builder;
pub mod expected_file;
