//! The scrape endpoint of `pintrace serve`: serves a snapshot in Prometheus' text format over HTTP.
//!
//! The field catalogue of the model defines the metrics and their names; this crate holds the format and the server.

mod exposition;
mod pages;
pub mod server;

pub use exposition::{CONTENT_TYPE, render};
