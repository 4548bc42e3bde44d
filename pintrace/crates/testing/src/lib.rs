//! Streams for the tests of other crates (built by hand or arbitrary), and files that tests compare with.

pub mod arbitrary;
pub mod event_builder;
pub mod expected_file;
