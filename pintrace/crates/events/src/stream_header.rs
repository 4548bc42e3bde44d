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
    /// Why a session that should trace does not. Empty if it traces, or if tracing was not asked for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub without_trace: String,
    /// Why a session that traces looks for no findings: `--no-findings`, or the kernel fact that is missing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub without_findings: String,
    /// The attached programs.
    pub probes: Vec<Probe>,
    /// Functions that the kernel has and pintrace could not hook. Calls of these functions are not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingHook>,
    /// The command run by `record -- COMMAND`, if any.
    pub command: Vec<String>,
    /// The kernel keeps exclusive anonymous pages from being copied (`PG_anon_exclusive`, 5.19).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclusive_pages: bool,
}

/// One attached program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Purpose, such as `acquire`.
    pub purpose: String,
    /// Kernel function or tracepoint.
    pub function: String,
    /// `fentry`, `fexit`, `kprobe`, `kretprobe` or `tracepoint`.
    pub method: String,
}

/// A function that the kernel has and pintrace could not hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingHook {
    /// Kernel function or tracepoint.
    pub function: String,
    /// The kernel's error.
    pub why: String,
    /// The events that pintrace does not see for that reason.
    pub lost: String,
}

/// Why a stream ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// `signal`, `duration`, `command` or `quit`.
    pub reason: String,
    /// Exit code of the command run by `record -- COMMAND`.
    pub exit_code: Option<i32>,
}
