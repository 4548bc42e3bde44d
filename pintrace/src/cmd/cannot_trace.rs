//! The error that neither tracing nor scanning is possible, in words for users: what is not possible, why, and what to do.

use std::error::Error;

use rustix::thread::{CapabilitySet, capabilities};

use crate::pipeline::start::SessionError;

/// The remedy for root.
const DOCTOR_AND_DEMO: &str = "`pintrace doctor` shows what this system allows. In a checkout of pintrace, \
                               `cargo xtask demo` shows pintrace in a guest";
/// The remedy for another user.
const SUDO: &str =
    "To trace and scan, run the command again with sudo. `pintrace doctor` shows the missing privileges";

/// Neither tracing nor scanning is possible here: exit code 3.
#[derive(Debug, thiserror::Error)]
#[error("cannot trace here: {reason}\n{remedy}")]
pub struct CannotTrace {
    reason: String,
    remedy: &'static str,
}

impl CannotTrace {
    /// Returns the error for a failed scan.
    pub(super) fn because(error: &dyn Error) -> Self {
        if may_load_programs() {
            Self {
                reason: format!("memory cannot be scanned: {error}"),
                remedy: DOCTOR_AND_DEMO,
            }
        } else {
            Self::without_privileges(error)
        }
    }

    /// Returns the error for a process that may not load BPF programs. Root lacks the privilege in a container.
    fn without_privileges(error: &dyn Error) -> Self {
        let is_root = rustix::process::geteuid().is_root();
        Self {
            reason: format!(
                "this process may not load BPF programs, which tracing and scanning need ({error})"
            ),
            remedy: if is_root { DOCTOR_AND_DEMO } else { SUDO },
        }
    }
}

impl From<SessionError> for CannotTrace {
    fn from(error: SessionError) -> Self {
        let remedy = match &error {
            SessionError::Btf(_) => "`pintrace doctor` shows what this system allows",
            // Both refusals have the same reason.
            SessionError::Neither { traced, .. } if !may_load_programs() => {
                return Self::without_privileges(traced);
            }
            _ if !may_load_programs() => return Self::without_privileges(&error),
            _ => DOCTOR_AND_DEMO,
        };
        Self {
            reason: error.to_string(),
            remedy,
        }
    }
}

/// Returns true if the process has a capability with which the kernel loads tracing programs.
fn may_load_programs() -> bool {
    let loading = CapabilitySet::BPF | CapabilitySet::SYS_ADMIN;
    // Without an answer of the kernel, the reason of the error is all that is known.
    capabilities(None).map_or(true, |sets| sets.effective.intersects(loading))
}
