//! Finding hooks that wait for pins.

use serde::{Deserialize, Serialize};

use super::MissingHook;
use super::units::Nanos;

/// Memory was pinned, and finding hooks that had waited for pins are attached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingHooksAttached {
    /// The time at which the first memory for which the hooks waited was pinned. No hook sees the events between this time
    /// and the time of the event.
    pub first_pin: Nanos,
    /// Other finding hooks still wait.
    pub others_wait: bool,
    /// The hooks that the kernel refused to attach.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingHook>,
}
