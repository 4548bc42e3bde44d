//! The pid namespace in which pintrace runs. The programs report pids of the initial namespace; /proc shows those of
//! another namespace in a container.

use std::path::Path;

use crate::btf::Types;

/// Number of the initial pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const INITIAL: &str = "pid:[4026531836]";

/// The reason and the remedy, where pintrace does not run in the initial pid namespace.
pub const OUTSIDE: &str = "pintrace runs in a pid namespace of its own, and processes outside of the namespace are not \
                           seen; run pintrace on the host, or in a container with --pid=host";

/// Returns true if this process and /proc belong to the initial pid namespace. A link that cannot be read, or that names no
/// namespace, counts as initial.
pub fn is_initial(proc: &Path) -> bool {
    // The first process of the namespace to which the mount of /proc belongs.
    ["self", "1"].iter().all(|process| {
        let link = std::fs::read_link(proc.join(process).join("ns/pid"));
        let named = |link: &std::path::PathBuf| link.as_os_str().as_encoded_bytes().starts_with(b"pid:[");
        link.ok()
            .filter(named)
            .is_none_or(|link| link.as_os_str() == INITIAL)
    })
}

/// Returns the number of pid namespaces from that of /proc to that of this process: 1 if both are the same. `None` if
/// /proc/self/status cannot be read.
pub fn depth_below(proc: &Path) -> Option<u32> {
    let status = std::fs::read_to_string(proc.join("self/status")).ok()?;
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    u32::try_from(pids.split_ascii_whitespace().count()).ok()
}

/// Returns the pid of this process as /proc shows it.
pub fn own_pid(proc: &Path) -> u32 {
    let link = std::fs::read_link(proc.join("self")).ok();
    let pid = link.and_then(|link| link.to_str()?.parse().ok());
    pid.unwrap_or_else(std::process::id)
}

/// Offsets in bytes of the members that lead from a task to its pids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PidLayout {
    /// `task_struct.thread_pid`.
    pub thread_pid: u32,
    /// `task_struct.group_leader`.
    pub group_leader: u32,
    /// `pid.level`, a u32.
    pub level: u32,
    /// `pid.numbers`, an array of `upid` with one entry for each namespace.
    pub numbers: u32,
    /// Size of `upid`.
    pub number_bytes: u32,
    /// `upid.nr`, a u32.
    pub nr: u32,
    /// `upid.ns`.
    pub namespace: u32,
}

impl PidLayout {
    /// Reads the offsets. `None` if BTF lacks one of them.
    pub fn of(types: &impl Types) -> Option<Self> {
        let offset = |container: &str, name: &str| types.offset(container, &[name]);
        Some(Self {
            thread_pid: offset("task_struct", "thread_pid")?,
            group_leader: offset("task_struct", "group_leader")?,
            level: offset("pid", "level")?,
            numbers: offset("pid", "numbers")?,
            number_bytes: types.size("upid")?,
            nr: offset("upid", "nr")?,
            namespace: offset("upid", "ns")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn proc_with(own: &str, first: &str, status: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (process, link) in [("17", own), ("1", first)] {
            std::fs::create_dir_all(root.path().join(process).join("ns")).unwrap();
            symlink(link, root.path().join(process).join("ns/pid")).unwrap();
        }
        symlink("17", root.path().join("self")).unwrap();
        std::fs::write(root.path().join("17/status"), status).unwrap();
        root
    }

    #[test]
    fn only_the_initial_namespace_is_initial() {
        let other = "pid:[4026532178]";
        for (own, first, expected) in [
            (INITIAL, INITIAL, true),
            (other, other, false),
            // The /proc of the host in a namespace without a /proc of its own.
            (other, INITIAL, false),
            (INITIAL, other, false),
        ] {
            assert_eq!(
                is_initial(proc_with(own, first, "").path()),
                expected,
                "{own} {first}"
            );
        }
        assert!(is_initial(tempfile::tempdir().unwrap().path()));
    }

    #[test]
    fn namespaces_below_that_of_proc_are_counted() {
        let depth = |status: &str| depth_below(proc_with(INITIAL, INITIAL, status).path());
        assert_eq!(depth("Name:\tx\nNSpid:\t2\n"), Some(1));
        assert_eq!(depth("NSpid:\t10392\t2\n"), Some(2));
        assert_eq!(depth("Name:\tx\n"), None);
        assert_eq!(own_pid(proc_with(INITIAL, INITIAL, "").path()), 17);
    }
}
