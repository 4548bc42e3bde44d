//! Reads RLIMIT_MEMLOCK of a process, and what the kernel has charged to its mm, from /proc.

use std::fs;
use std::path::Path;

/// Number of CAP_IPC_LOCK (include/uapi/linux/capability.h).
const CAP_IPC_LOCK: u32 = 14;

/// The limit and the counts of a process. All sizes are bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memlock {
    /// The soft limit; `None` for no limit.
    pub limit: Option<u64>,
    /// The process has CAP_IPC_LOCK.
    pub ipc_lock: bool,
    /// `VmPin`.
    pub pinned: u64,
    /// `VmLck`.
    pub locked: u64,
}

/// Reads the limit and the counts. `None` if the process has ended, or has no mm.
pub fn read(proc: &Path, pid: u32) -> Option<Memlock> {
    let folder = proc.join(pid.to_string());
    let limits = fs::read_to_string(folder.join("limits")).ok()?;
    let status = fs::read(folder.join("status")).ok()?;
    // The name of the process may have any bytes.
    parse(&limits, &String::from_utf8_lossy(&status))
}

fn parse(limits: &str, status: &str) -> Option<Memlock> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max locked memory"))?;
    let limit = match line.split_ascii_whitespace().next()? {
        "unlimited" => None,
        bytes => Some(bytes.parse().ok()?),
    };
    // The first line has the name, in which the kernel escapes line ends.
    let field = |name: &str| {
        let line = status.lines().skip(1).find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()
    };
    let bytes = |name| field(name)?.parse::<u64>().ok()?.checked_mul(1024);
    let capabilities = u64::from_str_radix(field("CapEff:")?, 16).ok()?;
    Some(Memlock {
        limit,
        ipc_lock: capabilities >> CAP_IPC_LOCK & 1 == 1,
        pinned: bytes("VmPin:")?,
        locked: bytes("VmLck:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max processes             95923                95923                processes 
Max locked memory         8388608              unlimited            bytes     
";
    const STATUS: &str =
        "Name:\tfio VmPin:\nVmLck:\t      64 kB\nVmPin:\t     128 kB\nCapEff:\t0000000000004000\n";

    #[test]
    fn the_soft_limit_counts() {
        let memlock = parse(LIMITS, STATUS).unwrap();
        assert_eq!(memlock.limit, Some(8 << 20));
        assert_eq!((memlock.pinned, memlock.locked), (128 << 10, 64 << 10));
        assert!(memlock.ipc_lock);
        let unlimited = LIMITS.replace("8388608  ", "unlimited");
        assert_eq!(parse(&unlimited, STATUS).unwrap().limit, None);
    }

    #[test]
    fn a_kernel_thread_has_no_counts() {
        assert_eq!(parse(LIMITS, "Name:\tkthreadd\nCapEff:\t0\n"), None);
    }

    #[test]
    fn the_limit_of_this_process_can_be_read() {
        let own = read(Path::new("/proc"), std::process::id());
        assert!(own.is_some());
        assert_eq!(read(Path::new("/nowhere"), 1), None);
    }
}
