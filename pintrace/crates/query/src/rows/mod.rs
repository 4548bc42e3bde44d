//! The fields of each kind of row.

mod cgroup;
mod change;
mod finding;
mod pin_call;
mod pins;
mod process;
mod system;
mod window;

pub use cgroup::CGROUPS;
pub use change::CHANGES;
pub use finding::FINDINGS;
pub use pin_call::{CALLS_IN_FLIGHT, FAILED_REGISTRATIONS, PIN_CALLS};
pub use pins::{CALL_SITES, HOLDERS, PINS};
pub use process::PROCESSES;
pub use system::SYSTEM;
pub use window::WINDOWS;

use pintrace_events::units::Pid;
use pintrace_model::subsystem::Subsystem;

/// Hands a pid and words to a function until the function returns true.
fn offer(pids: &[Pid], words: &[&str], take: &mut dyn FnMut(&str) -> bool) -> bool {
    words.iter().any(|word| take(word)) || pids.iter().any(|pid| take(&pid.0.to_string()))
}

/// The fixed values of the fields of all rows that have a subsystem.
fn subsystems(id: &str) -> Vec<&'static str> {
    match id {
        "subsystem" => Subsystem::ALL
            .iter()
            .map(|subsystem| subsystem.as_str())
            .collect(),
        _ => Vec::new(),
    }
}
