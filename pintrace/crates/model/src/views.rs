//! Views of a snapshot: rows by cgroup, pin, holder, call site and finding, and the figures of the host. A view is built
//! when somebody looks at it, in at most one pass over the extents.

pub mod call_sites;
pub mod cgroups;
pub mod container;
pub mod difference;
pub mod ended;
pub mod folded_findings;
pub mod holders;
mod name;
pub mod pin_list;
mod sums;
pub mod system;

pub use name::ViewName;

#[cfg(test)]
mod tests;
