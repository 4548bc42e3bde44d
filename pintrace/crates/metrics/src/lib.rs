//! The scrape endpoint of `pintrace serve`: a snapshot in Prometheus' text format, over HTTP.
//!
//! The catalogue of the model has the metrics and their names; this crate has only the format and the server.

mod exposition;
mod pages;
pub mod server;

pub use exposition::{CONTENT_TYPE, render};
