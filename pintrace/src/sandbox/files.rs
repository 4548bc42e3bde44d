//! The files and sockets that a restricted process may open, by Landlock.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use super::Work;

/// The newest version whose rights are used. Older kernels restrict what they know.
const NEWEST: ABI = ABI::V6;
/// The folders that a session reads: processes, counters, hooks.
const READ: [&str; 2] = ["/proc", "/sys"];
/// The file of this process, from which a backtrace gets its names.
const OWN_PROGRAM: &str = "/proc/self/exe";
/// The terminal, which the live view opens to learn its size.
const TERMINAL: &str = "/dev/tty";
/// `LANDLOCK_CREATE_RULESET_VERSION` (include/uapi/linux/landlock.h).
const ASK_FOR_VERSION: u32 = 1;

/// The files that a session writes after its hooks are attached. Files that are already open need no right.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Writes<'a> {
    /// Folders in which the session may create files: the folders of the key that saves a snapshot.
    pub(crate) creates_in: &'a [&'a Path],
    /// Folders in which the session may remove files: the folders of files that it removes if they stay empty.
    pub(crate) removes_in: &'a [&'a Path],
}

/// Restricts the calling thread. Returns the version of the kernel's interface, or the reason for no restriction.
pub(super) fn restrict(work: Work<'_>) -> Result<i32, String> {
    let version = version()?;
    if let Work::Session { processes: true, .. } = work {
        // Landlock refuses ptrace on processes outside the sandbox (`hook_ptrace_access_check`,
        // security/landlock/task.c), and so their page tables and descriptors.
        return Err("a scan reads the page tables of other processes, which Landlock refuses".to_owned());
    }
    match rules(work) {
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Ok(version),
        Ok(RulesetStatus::NotEnforced) => Err("the kernel enforced no rule".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns the version of the kernel's interface, or the reason for no Landlock.
pub(super) fn version() -> Result<i32, String> {
    // SAFETY: a null pointer of size 0 asks for the version only.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            0_usize,
            0_usize,
            ASK_FOR_VERSION,
        )
    };
    if version > 0 {
        return Ok(i32::try_from(version).unwrap_or(i32::MAX));
    }
    Err(match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::EOPNOTSUPP) => "disabled at boot; add landlock to the kernel parameter lsm=",
        _ => "this kernel has none, or the service manager forbids the system call",
    }
    .to_owned())
}

fn rules(work: Work<'_>) -> Result<RulesetStatus, RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        // No rule allows a port: the port of the metrics is bound before.
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::AbstractUnixSocket)?
        .create()?;
    let ruleset = match work {
        Work::Statistics => ruleset,
        Work::Session { writes, .. } => ruleset
            .add_rules(path_beneath_rules(READ, AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rules(path_beneath_rules([OWN_PROGRAM], AccessFs::ReadFile))?
            .add_rules(path_beneath_rules([TERMINAL], terminal()))?
            .add_rules(path_beneath_rules(
                writes.creates_in,
                AccessFs::MakeReg | AccessFs::WriteFile,
            ))?
            .add_rules(path_beneath_rules(
                writes.removes_in,
                BitFlags::from(AccessFs::RemoveFile),
            ))?,
    };
    let status = ruleset.restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { .. } => status.ruleset,
        _ => RulesetStatus::NotEnforced,
    })
}

fn terminal() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::IoctlDev
}
