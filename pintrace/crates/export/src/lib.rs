//! Snapshots as text and JSON. Columns come from the catalogue, figures from the snapshot alone.

pub mod catalogue;
pub mod findings;
mod grid;
mod header;
pub mod json;
pub mod json_findings;
pub mod report;
pub mod table;

#[cfg(test)]
mod tests;

/// The version of the JSON of all commands; the key `schema`. It is raised when a key is renamed or changes its meaning,
/// not when one is added.
pub const SCHEMA: u32 = 2;
