//! The capabilities that pintrace uses, each with what for.

use std::path::Path;

use super::{Check, CheckState};

/// A capability (include/uapi/linux/capability.h) that pintrace uses.
pub struct Capability {
    /// Its name.
    pub name: &'static str,
    /// Its number.
    pub number: u32,
    /// What for.
    pub use_of: &'static str,
    /// Without it nothing can be traced.
    pub needed: bool,
    /// It is used at the start only, and given up when everything is attached.
    pub at_start_only: bool,
}

/// Every capability that is used. CAP_BPF and CAP_PERFMON came with 5.8.
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
        use_of: "shows kernel addresses: without it subsystems and stacks have no names",
        needed: false,
        at_start_only: true,
    },
    Capability {
        name: "CAP_DAC_READ_SEARCH",
        number: 2,
        use_of: "reads what ftrace can trace and whether the kernel is preempted; without it each hook is tried, and attached twice",
        needed: false,
        at_start_only: true,
    },
    Capability {
        name: SYS_RESOURCE_NAME,
        number: 24,
        use_of: "raises the limit of locked memory, to which maps count before 5.11",
        needed: false,
        at_start_only: true,
    },
];

/// CAP_SYS_ADMIN stands for the first two.
pub(super) const SYS_ADMIN: u32 = 21;
/// The name of the one that is not needed everywhere.
pub(super) const SYS_RESOURCE_NAME: &str = "CAP_SYS_RESOURCE";
/// Its number.
pub(super) const SYS_RESOURCE: u32 = 24;

/// What gives one.
pub(super) const REMEDY: &str =
    "run it with sudo, or give it the capability (setpriv --ambient-caps, systemd's AmbientCapabilities=)";

/// Each of them, held by this process or not.
pub(super) fn checks(proc: &Path) -> Vec<Check> {
    let stood_for = has(proc, SYS_ADMIN) == Some(true);
    let check = |capability: &Capability| {
        let state = match has(proc, capability.number) {
            None => CheckState::Unknown,
            Some(true) => CheckState::Good,
            Some(false) if stood_for && capability.needed => CheckState::Good,
            Some(false) if capability.needed => CheckState::Bad,
            Some(false) => CheckState::Weak,
        };
        Check::new(capability.name, state, capability.use_of, REMEDY)
    };
    CAPABILITIES.iter().map(check).collect()
}

/// This process's effective capabilities.
fn effective(proc: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(proc.join("self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// Whether this process has a capability; `None` if that cannot be told.
pub(super) fn has(proc: &Path, number: u32) -> Option<bool> {
    effective(proc).map(|set| set >> number & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_ask_for_these_capabilities_and_no_others() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs");
        let read = |name: &str| std::fs::read_to_string(docs.join(name)).unwrap();
        let names: Vec<_> = CAPABILITIES.iter().map(|capability| capability.name).collect();
        let unit = read("pintrace.service");
        for line in ["AmbientCapabilities=", "CapabilityBoundingSet="] {
            let found = unit.lines().find_map(|found| found.strip_prefix(line)).unwrap();
            assert_eq!(found.split_whitespace().collect::<Vec<_>>(), names);
        }
        let page = read("privileges.md");
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
