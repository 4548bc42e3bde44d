//! Streams for the tests of other crates: built by hand, made of findings, or arbitrary.

pub mod arbitrary;
pub mod event_builder;
