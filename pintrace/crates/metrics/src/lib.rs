//! The scrape endpoint of `pintrace serve`: a snapshot in Prometheus' text format, over HTTP.
//!
//! What there is to export, and under which name, the catalogue knows; here is only its form. Must
//! not know where snapshots come from, nor any other view.

mod exposition;
mod pages;
pub mod server;

pub use exposition::{CONTENT_TYPE, render};
