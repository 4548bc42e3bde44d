//! Checks the settings and privileges that tracing depends on. Each check has the loss if a setting is wrong, and the
//! remedy. Hooks are checked elsewhere.

mod capabilities;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;

use super::btf::BtfError;
use super::facts::{Kernel, Roots};
use super::iomem;
use super::page_size;
use super::pid_namespace;

pub use capabilities::{CAPABILITIES, Capability, without_access};
use capabilities::{SYS_ADMIN, SYS_RESOURCE, has};

/// The name of the check of BTF.
const BTF: &str = "BTF";
/// The remedy if BTF cannot be used.
const BTF_REMEDY: &str =
    "use a kernel built with CONFIG_DEBUG_INFO_BTF=y, or pass a raw BTF file of this kernel with --btf";

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// The setting suits tracing.
    Good,
    /// Tracing works, and something is lost.
    Weak,
    /// Nothing can be traced.
    Bad,
    /// The setting cannot be read.
    Unknown,
}

impl CheckState {
    /// Returns the word in text output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Weak => "weak",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

/// A setting or privilege, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name of the setting or privilege.
    pub name: &'static str,
    /// Result.
    pub state: CheckState,
    /// The value found, as a user reads it.
    pub found: String,
    /// The remedy; empty if nothing is to be done.
    pub remedy: &'static str,
}

impl Check {
    fn new(name: &'static str, state: CheckState, found: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            name,
            state,
            found: found.into(),
            remedy: if state == CheckState::Good { "" } else { remedy },
        }
    }
}

/// Runs the checks of a system whose BTF cannot be used.
pub fn checks_without_types(roots: &Roots, error: &BtfError) -> Vec<Check> {
    let mut checks = checks(roots, None);
    if let BtfError::Malformed { path, .. } = error {
        let found = format!("{} is not BTF", path.display());
        for check in checks.iter_mut().filter(|check| check.name == BTF) {
            *check = Check::new(BTF, CheckState::Bad, &*found, BTF_REMEDY);
        }
    }
    checks
}

/// Runs all checks, in the order in which tracing depends on the results.
pub fn checks(roots: &Roots, kernel: Option<&Kernel>) -> Vec<Check> {
    let mut checks = vec![
        page_size(page_size::of_machine()),
        btf(&roots.btf),
        jit(&roots.proc),
        lockdown(&roots.security),
    ];
    checks.extend(capabilities::checks(&roots.proc).into_iter().map(|check| {
        if check.name == capabilities::SYS_RESOURCE_NAME && maps_are_free(kernel) {
            Check::new(
                check.name,
                CheckState::Good,
                "not needed: BPF maps do not count towards locked memory on this kernel",
                "",
            )
        } else {
            check
        }
    }));
    checks.push(memlock(&roots.proc, kernel));
    if let Some(kernel) = kernel {
        checks.push(symbols(kernel));
        checks.extend(perf(&roots.proc, kernel));
    }
    checks.push(vmstat(&roots.proc));
    checks.extend(namespace(&roots.proc));
    checks.extend(device_memory(&roots.proc));
    checks
}

/// Reports a pid namespace other than the initial one. `None` in the initial one.
fn namespace(proc: &Path) -> Option<Check> {
    (!pid_namespace::is_initial(proc)).then(|| {
        Check::new(
            "pid namespace",
            CheckState::Bad,
            "not the initial one: nothing is traced, and processes outside of the namespace are not seen",
            "run pintrace on the host, or in a container with --pid=host",
        )
    })
}

/// Reports the memory that a scan does not read. `None` on most machines, which have none.
fn device_memory(proc: &Path) -> Option<Check> {
    let all = iomem::not_scanned(proc);
    let words: Vec<_> = all
        .iter()
        .map(|one| format!("{} ({} MiB)", one.name, one.pages >> 8))
        .collect();
    (!words.is_empty()).then(|| {
        Check::new(
            "device memory",
            CheckState::Unknown,
            format!(
                "{}: pins on this memory are traced, and not scanned",
                words.join(", ")
            ),
            "to have such memory scanned, add it to the system: daxctl reconfigure-device --mode=system-ram",
        )
    })
}

fn page_size(bytes: u64) -> Check {
    let state = match page_size::check(bytes) {
        Ok(()) => CheckState::Good,
        Err(_) => CheckState::Bad,
    };
    let remedy = "use a kernel with pages of 4096 bytes: pintrace counts in pages of that size";
    Check::new("page size", state, format!("{bytes} bytes"), remedy)
}

fn btf(path: &Path) -> Check {
    match std::fs::metadata(path) {
        Ok(file) => Check::new(
            BTF,
            CheckState::Good,
            format!("{} ({} KiB)", path.display(), file.len() >> 10),
            BTF_REMEDY,
        ),
        Err(error) => Check::new(
            BTF,
            CheckState::Bad,
            format!("{}: {error}", path.display()),
            BTF_REMEDY,
        ),
    }
}

fn jit(proc: &Path) -> Check {
    let remedy = "sysctl net.core.bpf_jit_enable=1: trampolines need the JIT";
    match std::fs::read_to_string(proc.join("sys/net/core/bpf_jit_enable")) {
        Ok(text) if text.trim() == "0" => Check::new("JIT", CheckState::Bad, "off", remedy),
        Ok(_) => Check::new("JIT", CheckState::Good, "on", remedy),
        Err(error) => Check::new("JIT", CheckState::Unknown, error.to_string(), remedy),
    }
}

fn lockdown(security: &Path) -> Check {
    let remedy = "boot without lockdown=confidentiality, which forbids programs to read kernel memory";
    let Ok(text) = std::fs::read_to_string(security.join("lockdown")) else {
        return Check::new(
            "lockdown",
            CheckState::Unknown,
            "not shown: securityfs is not mounted, or this kernel has no lockdown",
            "",
        );
    };
    match text.split(['[', ']']).nth(1) {
        Some("confidentiality") => Check::new("lockdown", CheckState::Bad, "confidentiality", remedy),
        Some(level) => Check::new("lockdown", CheckState::Good, level, remedy),
        None => Check::new("lockdown", CheckState::Unknown, text.trim(), remedy),
    }
}

/// Returns true if BPF maps count towards the memory of the cgroup and not towards locked memory (since 5.11). The
/// evidence is the helper `bpf_loop` (5.17), so kernels from 5.11 to 5.16 are taken for older ones.
fn maps_are_free(kernel: Option<&Kernel>) -> bool {
    kernel.is_some_and(|kernel| kernel.facts.bpf_loop)
}

fn memlock(proc: &Path, kernel: Option<&Kernel>) -> Check {
    let limits = std::fs::read_to_string(proc.join("self/limits")).unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max locked memory"));
    let Some(soft) = line.and_then(|line| line.split_whitespace().next()) else {
        return Check::new("memlock", CheckState::Unknown, "the limit is not shown", "");
    };
    let counts = kernel.is_some() && !maps_are_free(kernel);
    let raised = has(proc, SYS_RESOURCE) == Some(true);
    let state = if counts && !raised && soft != "unlimited" {
        CheckState::Bad
    } else {
        CheckState::Good
    };
    let text = match (soft, counts) {
        ("unlimited", _) => "unlimited".to_owned(),
        (soft, true) => format!(
            "{soft} bytes; BPF maps count towards the limit on this kernel, so pintrace has to raise the limit"
        ),
        (soft, false) => format!("{soft} bytes; BPF maps do not count towards the limit on this kernel"),
    };
    Check::new("memlock", state, text, "ulimit -l unlimited, or CAP_SYS_RESOURCE")
}

fn symbols(kernel: &Kernel) -> Check {
    let remedy = "sysctl kernel.kptr_restrict=1, and CAP_SYSLOG";
    if kernel.symbols.has_addresses() {
        Check::new("symbols", CheckState::Good, "kernel addresses are shown", remedy)
    } else {
        let found = "kernel addresses are hidden: subsystems and stacks have no names";
        Check::new("symbols", CheckState::Weak, found, remedy)
    }
}

/// Checks whether kprobes are allowed. Kprobes are perf events, which Debian's kernels refuse at level 3 to processes
/// without CAP_SYS_ADMIN. Returns `None` where no pin function has more arguments than a trampoline carries.
fn perf(proc: &Path, kernel: &Kernel) -> Option<Check> {
    let remote = kernel
        .facts
        .functions
        .get("pin_user_pages_remote")?
        .prototype
        .as_ref()?;
    if remote.parameters.len() <= 6 {
        return None;
    }
    let level = std::fs::read_to_string(proc.join("sys/kernel/perf_event_paranoid")).ok()?;
    let refused =
        level.trim().parse::<i32>().is_ok_and(|level| level >= 3) && has(proc, SYS_ADMIN) != Some(true);
    let state = if refused {
        CheckState::Weak
    } else {
        CheckState::Good
    };
    let found = format!("perf_event_paranoid is {}", level.trim());
    let remedy = "sysctl kernel.perf_event_paranoid=2, or CAP_SYS_ADMIN: kprobes are refused otherwise";
    Some(Check::new("perf", state, found, remedy))
}

fn vmstat(proc: &Path) -> Check {
    let vmstat = std::fs::read_to_string(proc.join("vmstat")).unwrap_or_default();
    if !vmstat.contains("nr_foll_pin_acquired") {
        let found = "nr_foll_pin_acquired is not in /proc/vmstat: the ledger cannot be compared with vmstat";
        return Check::new(
            "vmstat",
            CheckState::Weak,
            found,
            "use a kernel from 5.8 on, built with CONFIG_VM_EVENT_COUNTERS=y",
        );
    }
    let refresh = std::fs::OpenOptions::new()
        .write(true)
        .open(proc.join("sys/vm/stat_refresh"));
    match refresh {
        Ok(_) => Check::new(
            "vmstat",
            CheckState::Good,
            "the kernel has the counters, and pintrace can refresh the counters",
            "",
        ),
        Err(error) => Check::new(
            "vmstat",
            CheckState::Weak,
            format!("vm.stat_refresh: {error}; the counters lag, so the ledger is not compared with vmstat"),
            "run pintrace as root: no capability lets another user refresh vmstat",
        ),
    }
}
