//! The first and the last event of a stream.

use serde::{Deserialize, Serialize};

/// The circumstances of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Version of pintrace that produced the stream.
    pub tool: String,
    /// Kernel release string (`uname -r`).
    pub kernel: String,
    /// Machine (`uname -m`).
    pub machine: String,
    /// Host name.
    pub host: String,
    /// Wall clock at [`crate::Event::time`] of this event, ns since 1970.
    pub wall_ns: u64,
    /// Size of a page in bytes.
    pub page_size: u32,
    /// Mode of the session: `trace`, `scan`, or `both` (traced, and reconciled by memory scans).
    pub mode: String,
    /// Reason why the session does not trace. Empty if the session traces, or if the user asked for mode `scan`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub without_trace: String,
    /// Reason why a tracing session looks for no findings: `--no-findings`, or the kernel fact that is missing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub without_findings: String,
    /// The attached programs.
    pub probes: Vec<Probe>,
    /// Functions that the kernel has and pintrace could not hook, and paths whose calls reach no hook. pintrace does not see
    /// such calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingHook>,
    /// The command run by `record -- COMMAND`, if any.
    pub command: Vec<String>,
    /// The kernel does not copy exclusive anonymous pages on write (`PG_anon_exclusive`, since 5.19).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclusive_pages: bool,
    /// Finding hooks are attached once memory is pinned ([`super::FindingHooksAttached`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub findings_wait: bool,
}

/// One attached program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Purpose of the hook, such as `acquire`.
    pub purpose: String,
    /// Kernel function or tracepoint.
    pub function: String,
    /// `fentry`, `fexit`, `kprobe`, `kretprobe` or `tracepoint`.
    pub method: String,
}

/// A function that the kernel has and pintrace could not hook, or a path of the kernel whose calls reach no hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingHook {
    /// Kernel function or tracepoint. Empty if test pins on a path were not seen although each function is hooked.
    pub function: String,
    /// The kernel's error, or the figures of the test pins.
    pub why: String,
    /// The events that pintrace does not see for this reason.
    pub lost: String,
}

impl MissingHook {
    /// Returns the reason as a clause.
    #[must_use]
    pub fn reason(&self) -> String {
        match self.function.as_str() {
            "" => self.why.clone(),
            function => format!("{function} could not be hooked: {}", self.why),
        }
    }
}

/// The end of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Why the stream ended: `signal`, `duration`, `command` or `quit`.
    pub reason: String,
    /// Exit code of the command run by `record -- COMMAND`.
    pub exit_code: Option<i32>,
}
