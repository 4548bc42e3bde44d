//! Renders snapshots as text and JSON. Columns come from the field catalogue, and all figures come from the snapshot.

pub mod catalogue;
pub mod findings;
mod header;
pub mod json;
pub mod json_findings;
mod json_own_cost;
mod json_pin_calls;
mod json_processes;
mod json_registrations;
pub mod not_seen;
mod own_cost;
mod pin_calls;
pub mod report;
pub mod rows;
pub mod table;

#[cfg(test)]
mod own_cost_tests;
#[cfg(test)]
mod tests;

/// The version of the JSON of all commands, under the key `schema`. The version rises when a key is renamed or changes
/// its meaning, and stays when a key is added.
pub const SCHEMA: u32 = 2;
