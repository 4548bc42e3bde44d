//! From "what we want to see" to "what is attached here".
//!
//! [`table`] says what serves each purpose, [`facts`] what this kernel offers, [`plan`] is the pure
//! step between the two, and [`load`] and [`apply`] (feature `live`) try the plan against the running kernel.

#[cfg(feature = "live")]
pub mod apply;
pub mod btf;
pub mod capture;
pub mod environment;
pub mod explain;
pub mod facts;
pub mod ftrace;
#[cfg(feature = "live")]
pub mod in_place;
pub mod kallsyms;
pub mod layout;
#[cfg(feature = "live")]
pub mod load;
#[cfg(feature = "live")]
pub mod loader_btf;
pub mod plan;
pub mod preemption;
#[cfg(feature = "live")]
pub(crate) mod refusal;
pub mod table;
#[cfg(feature = "live")]
pub mod trial;
pub mod watch_layout;

#[cfg(test)]
mod tests;
