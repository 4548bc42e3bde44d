//! Processes: identity and end.

use serde::{Deserialize, Serialize};

use crate::units::Pid;

/// The identity of a process, read from `/proc` once and kept after the process has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSeen {
    /// Thread group id.
    pub pid: Pid,
    /// Thread group id of the parent, 0 if unknown.
    pub parent: Pid,
    /// Command name.
    pub comm: String,
    /// Command line, arguments separated by spaces; empty if unread.
    pub cmdline: String,
    /// Real user id, if read.
    pub uid: Option<u32>,
    /// cgroup v2 path, empty if unread.
    pub cgroup: String,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessExited {
    /// Thread group id.
    pub pid: Pid,
    /// Signal that killed the process, 0 if none did.
    pub signal: u32,
    /// Exit status when no signal killed the process.
    pub status: u32,
    /// Pages that the process's long-term pins held when it ended; `None` if the source does not say.
    pub longterm_pages_held: Option<u64>,
}
