//! Streams for the tests of other crates, built by hand or arbitrary, comparison of generated files, and the commands in the
//! pages of the project.

pub mod arbitrary;
pub mod documents;
pub mod event_builder;
pub mod expected_file;
