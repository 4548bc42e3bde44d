//! Registrations of memory that the kernel refused.

use serde::{Deserialize, Serialize};

use crate::units::{Nanos, Pid};

/// Changed figures of the registrations of a process that failed alike. All figures but `count` and `more` are those of the
/// last one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationFailed {
    /// Process.
    pub pid: Pid,
    /// Command name of the thread.
    pub comm: String,
    /// The system call or function that refused, one of [`pintrace_common::registrations::kind`].
    pub kind: u32,
    /// Operation of io_uring_register; 0 for other calls.
    pub operation: u32,
    /// Error number.
    pub errno: u32,
    /// Registrations that failed alike since the start.
    pub count: u64,
    /// Those of `count` that no earlier event has; `None` in a recording of an earlier pintrace. Only the sender knows which
    /// events are of one process: a pid may be reused, and a process may hold no pins, so that its end has no event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<u64>,
    /// Time of the last one.
    pub last: Nanos,
    /// Bytes that it asked for; `None` if unknown.
    pub wanted: Option<u64>,
    /// It asked for more than `wanted`, which counts only its first buffers.
    pub wants_more: bool,
    /// `RLIMIT_MEMLOCK` of the process in bytes; `None` for no limit.
    pub limit: Option<u64>,
    /// The process has CAP_IPC_LOCK, so the limit does not apply.
    pub exempt: bool,
    /// Pages that the kernel charges to the user (`user_struct.locked_vm`).
    pub user_locked: u64,
    /// Pages that the kernel charges to the mm as pinned (`VmPin`).
    pub mm_pinned: u64,
    /// Pages that the kernel charges to the mm as locked (`VmLck`).
    pub mm_locked: u64,
    /// Real user id.
    pub uid: u32,
    /// cgroup v2 id.
    pub cgroup: u64,
}
