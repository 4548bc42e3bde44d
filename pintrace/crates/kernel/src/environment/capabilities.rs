//! The capabilities that pintrace uses, each with its use.

use std::path::Path;

use super::{Check, CheckState};

/// A capability (include/uapi/linux/capability.h) that pintrace uses.
pub struct Capability {
    /// Name.
    pub name: &'static str,
    /// Number.
    pub number: u32,
    /// Use of the capability, as a user reads it.
    pub use_of: &'static str,
    /// Nothing can be traced without the capability.
    pub needed: bool,
    /// The capability is used at the start only, and dropped once all programs are attached.
    pub at_start_only: bool,
}

/// All capabilities that pintrace uses. CAP_BPF and CAP_PERFMON exist since 5.8.
pub const CAPABILITIES: &[Capability] = &[
    Capability {
        name: "CAP_BPF",
        number: 39,
        use_of: "loads the programs, and reads their maps",
        needed: true,
        at_start_only: false,
    },
    Capability {
        name: "CAP_PERFMON",
        number: 38,
        use_of: "attaches the programs, and lets them read kernel memory",
        needed: true,
        at_start_only: true,
    },
    Capability {
        name: "CAP_SYSLOG",
        number: 34,
        use_of: "shows kernel addresses; without this capability subsystems and stacks have no names",
        needed: false,
        at_start_only: true,
    },
    Capability {
        name: "CAP_DAC_READ_SEARCH",
        number: 2,
        use_of: "reads which functions ftrace can trace, and whether the kernel is preempted; without this capability each hook is tried, and attached twice",
        needed: false,
        at_start_only: true,
    },
    Capability {
        name: SYS_RESOURCE_NAME,
        number: 24,
        use_of: "raises the limit of locked memory; BPF maps count towards the limit before 5.11",
        needed: false,
        at_start_only: true,
    },
];

/// Number of CAP_SYS_ADMIN, which includes CAP_BPF and CAP_PERFMON.
pub(super) const SYS_ADMIN: u32 = 21;
/// Name of the capability that only some kernels need.
pub(super) const SYS_RESOURCE_NAME: &str = "CAP_SYS_RESOURCE";
/// Number of CAP_SYS_RESOURCE.
pub(super) const SYS_RESOURCE: u32 = 24;

/// How a process gets a capability.
pub(super) const REMEDY: &str =
    "run pintrace with sudo, or grant the capability (setpriv --ambient-caps, AmbientCapabilities=)";

/// Checks whether this process has each capability.
pub(super) fn checks(proc: &Path) -> Vec<Check> {
    let has_sys_admin = has(proc, SYS_ADMIN) == Some(true);
    let check = |capability: &Capability| {
        let state = match has(proc, capability.number) {
            None => CheckState::Unknown,
            Some(true) => CheckState::Good,
            Some(false) if has_sys_admin && capability.needed => CheckState::Good,
            Some(false) if capability.needed => CheckState::Bad,
            Some(false) => CheckState::Weak,
        };
        Check::new(capability.name, state, capability.use_of, REMEDY)
    };
    CAPABILITIES.iter().map(check).collect()
}

/// Returns the effective capabilities of this process; `None` if /proc/self/status cannot be read.
fn effective(proc: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(proc.join("self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Returns true if this process has a capability; `None` if /proc/self/status cannot be read.
pub(super) fn has(proc: &Path, number: u32) -> Option<bool> {
    effective(proc).map(|set| set >> number & 1 == 1)
}

/// Number of CAP_SYS_PTRACE.
const SYS_PTRACE: u32 = 19;

/// Returns the likely cause, with the remedy, why this process may not read the files of another one.
pub fn without_access(proc: &Path) -> &'static str {
    let status = std::fs::read_to_string(proc.join("self/status")).unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let is_root = user.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0");
    match (has(proc, SYS_PTRACE), is_root) {
        (Some(true), _) => {
            "CAP_SYS_PTRACE does not suffice here, so a security module (SELinux, AppArmor) or a user namespace \
             protects the process: allow it there, or run pintrace in the namespace of the host"
        }
        (_, true) => {
            "this root lacks CAP_SYS_PTRACE, as in a container: run pintrace on the host, or grant the capability \
             (--cap-add=SYS_PTRACE)"
        }
        _ => "run pintrace as root",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_refused_file_depends_on_user_and_capability() {
        let cause = |status: &str| {
            let proc = tempfile::tempdir().unwrap();
            std::fs::create_dir(proc.path().join("self")).unwrap();
            std::fs::write(proc.path().join("self/status"), status).unwrap();
            without_access(proc.path())
        };
        let user = "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\n";
        assert_eq!(cause(user), "run pintrace as root");
        assert_eq!(cause(""), "run pintrace as root");
        let in_container = "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n";
        assert!(cause(in_container).contains("--cap-add=SYS_PTRACE"));
        let root = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n";
        assert!(cause(root).contains("security module"));
    }

    #[test]
    fn the_documents_name_exactly_these_capabilities() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
        let names: Vec<_> = CAPABILITIES.iter().map(|capability| capability.name).collect();
        let unit = read("packaging/systemd/pintrace.service");
        let record = read("packaging/systemd/pintrace-record@.service");
        // The units raise the limit of locked memory themselves, and add what a scan needs.
        let mut of_unit: Vec<_> = names
            .iter()
            .copied()
            .filter(|name| *name != SYS_RESOURCE_NAME)
            .collect();
        of_unit.extend(["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]);
        for unit in [unit, record] {
            let value = |key| unit.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            let found = value("CapabilityBoundingSet=").split_whitespace();
            assert_eq!(found.collect::<Vec<_>>(), of_unit);
            assert_eq!(value("LimitMEMLOCK="), "infinity");
        }
        let page = read("docs/privileges.md");
        let table = page
            .lines()
            .filter_map(|line| line.strip_prefix("| CAP_")?.split(' ').next());
        let table: Vec<_> = table.map(|name| format!("CAP_{name}")).collect();
        assert_eq!(table, names);
        let words: Vec<_> = CAPABILITIES
            .iter()
            .map(|capability| format!("+{}", capability.name.trim_start_matches("CAP_").to_lowercase()))
            .collect();
        assert_eq!(page.matches(&words.join(",")).count(), 2);
    }
}
