//! `all`: runs every kind of pin on every backing, each in a separate process, and prints one line for each.

use std::env;
use std::process::{Command, Output, Stdio, id};

use serde::Serialize;
use serde_json::Value;

use crate::cli::AllArgs;
use crate::failure::{Explain, Failure, Result};
use crate::report;

const KINDS: [&str; 10] = [
    "io-uring",
    "af-xdp",
    "process-vm",
    "direct-read",
    "direct-write",
    "udmabuf",
    "vfio",
    "rdma",
    "vmsplice",
    "zerocopy",
];
const BACKINGS: [&str; 3] = ["small", "thp", "hugetlb"];
/// Variants of the kinds, on small pages unless a variant names another backing.
const VARIANTS: [&str; 27] = [
    "io-uring --buffers 4",
    "io-uring --release close",
    "io-uring --release exit",
    "io-uring --release kill",
    "io-uring --threads 3",
    "io-uring --fork-child",
    "io-uring --fork-child --backing thp",
    "io-uring --shared-memory",
    "io-uring --shared-ring",
    "io-uring --shared-ring --release kill",
    "io-uring --untouched",
    "io-uring --untouched --backing thp",
    "io-uring --zero-page",
    "io-uring --change munmap",
    "io-uring --change madvise-dontneed",
    "io-uring --change mprotect",
    "io-uring --change fork-write",
    "io-uring --change mremap",
    "af-xdp --release kill",
    "process-vm --repeat 3 --zero-page",
    "process-vm --zero-page --backing thp",
    "process-vm --untouched",
    "process-vm --untouched --backing thp",
    "direct-write --untouched --backing thp",
    "direct-read --untouched",
    "direct-write --zero-page",
    "direct-write --zero-page --backing thp",
];

/// The result of one check.
#[derive(Debug, Serialize)]
struct WorkloadCheck {
    event: &'static str,
    workload: String,
    /// `ok`, `differs`, `failed` or `skipped`.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// One entry while the pins are held, then one after the release.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    expected_pins: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vmstat: Vec<Value>,
}

/// Runs all checks. Fails if a check failed or differed.
pub(crate) fn run(arguments: &AllArgs) -> Result<()> {
    let plain = KINDS.iter().flat_map(|kind| {
        BACKINGS
            .iter()
            .map(move |backing| format!("{kind} --backing {backing}"))
    });
    let variants = VARIANTS
        .iter()
        .filter(|_| arguments.variants)
        .map(|&variant| variant.to_owned());
    let (mut failed, mut differed) = (0, 0);
    for workload in plain.chain(variants) {
        let check = check(arguments, workload)?;
        failed += u32::from(check.result == "failed");
        differed += u32::from(check.result == "differs");
        report::print(&check)?;
    }
    match (failed, differed) {
        (0, 0) => Ok(()),
        (0, _) => Err(Failure {
            code: 4,
            ..Failure::failed(
                format!("{differed} checks differ from /proc/vmstat"),
                "see the lines of these checks, and let no other process on this machine pin meanwhile",
            )
        }),
        _ => Err(Failure::failed(
            format!("{failed} checks failed"),
            "see the reasons in the lines of these checks",
        )),
    }
}

fn check(arguments: &AllArgs, workload: String) -> Result<WorkloadCheck> {
    let output = start(arguments, &workload)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let all = |key: &str| -> Vec<Value> {
        let held = lines
            .iter()
            .filter(|line| line["event"] != "changed" && line["event"] != "releasing");
        held.filter_map(|line| line.get(key).cloned()).collect()
    };
    let error = lines.iter().find(|line| line["event"] == "error");
    let killed = output.status.code().is_none() && workload.contains("--release kill");
    Ok(WorkloadCheck {
        event: "check",
        result: match output.status.code() {
            Some(0) => "ok",
            Some(3) => "skipped",
            Some(4) => "differs",
            _ if killed => "ok",
            _ => "failed",
        },
        reason: error
            .and_then(|line| {
                Some(format!(
                    "{}; {}",
                    line["what"].as_str()?,
                    line["remedy"].as_str()?
                ))
            })
            .or_else(|| (!output.status.success() && !killed).then(|| output.status.to_string())),
        expected_pins: all("expected_pins"),
        vmstat: all("vmstat"),
        workload,
    })
}

fn start(arguments: &AllArgs, workload: &str) -> Result<Output> {
    let program = env::current_exe().failing("cannot find pinload's own file", "mount /proc")?;
    let mut command = Command::new(program);
    command.args(workload.split(' '));
    command.args([
        "--pages",
        &arguments.pages.to_string(),
        "--die-with-parent",
        &id().to_string(),
    ]);
    if workload.starts_with("direct") {
        command.arg("--file").arg(&arguments.file);
    }
    if !workload.contains("small") && workload.contains("backing") && nix::unistd::geteuid().is_root() {
        command.arg("--reserve");
    }
    if arguments.verify {
        command.arg("--verify");
    }
    command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .failing(
            "cannot start pinload again",
            "raise the limit of processes (ulimit -u)",
        )
}
