//! The table of hooks, the plan for one kernel, and the loader.
//!
//! [`table`] lists the kernel functions that serve each purpose. [`plan`] chooses between these functions from the
//! facts about a kernel. [`load`] and [`apply`] try the plan on the running kernel.

pub mod apply;
pub mod explain;
pub mod load;
mod load_programs;
mod map_sizes;
pub mod options;
pub mod outcome;
pub mod plan;
pub mod program_code;
pub mod program_ids;
pub mod table;

#[cfg(test)]
mod tests;
