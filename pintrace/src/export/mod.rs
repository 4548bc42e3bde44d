//! Snapshots as text and JSON. Columns come from the catalogue, figures from the snapshot alone.

pub mod catalogue;
mod grid;
mod header;
pub mod json;
pub mod report;
pub mod table;

#[cfg(test)]
mod tests;
