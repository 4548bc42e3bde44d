//! Restricts this process once its hooks are attached: the files and sockets that it may open (Landlock), and the system
//! calls that it may make (seccomp).
//!
//! Landlock and seccomp restrict the calling thread and the threads that it starts later. So the caller has to be the only
//! thread of the process, as for its capabilities. Files that are open keep working.

mod files;
mod system_calls;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};
use std::path::Path;

pub(crate) use files::Writes;

/// The reason for no restriction under `--no-sandbox`.
const OFF: &str = "off (--no-sandbox)";

/// The work that a restricted process still has to do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work<'a> {
    /// Reads maps, runs and attaches loaded programs, and reads /proc and /sys.
    Session {
        /// What the session writes.
        writes: Writes<'a>,
        /// The session reads the page tables and the descriptors of other processes.
        processes: bool,
    },
    /// Enables the kernel's BPF statistics, and opens no file.
    Statistics,
}

/// The restrictions of this process, or the restrictions that this kernel offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Restrictions {
    /// The version of the Landlock interface, or the reason for no Landlock.
    pub(crate) landlock: Result<i32, String>,
    /// The reason for no filter of system calls.
    pub(crate) seccomp: Result<(), String>,
    enabled: bool,
}

/// Restricts the calling thread as far as this kernel can. A restriction that is missing does not end the session.
pub(crate) fn enter(work: Work<'_>) -> Restrictions {
    Restrictions {
        landlock: files::restrict(work),
        // The filter is last, because it refuses system calls that Landlock needs to open folders for its rules.
        seccomp: system_calls::restrict(work),
        enabled: true,
    }
}

/// Returns the folder of a file.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Returns the restrictions that this kernel offers, and restricts nothing.
pub(crate) fn offered() -> Restrictions {
    Restrictions {
        landlock: files::version(),
        seccomp: system_calls::offered(),
        enabled: true,
    }
}

/// Returns the state under `--no-sandbox`.
pub(crate) fn off() -> Restrictions {
    Restrictions {
        landlock: Err(OFF.to_owned()),
        seccomp: Err(OFF.to_owned()),
        enabled: false,
    }
}

impl Display for Restrictions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.enabled {
            return f.write_str(OFF);
        }
        match &self.landlock {
            Ok(version) => write!(f, "Landlock version {version}"),
            Err(why) => write!(f, "no Landlock ({why})"),
        }?;
        match &self.seccomp {
            Ok(()) => f.write_str(", seccomp filter"),
            Err(why) => write!(f, ", no seccomp filter ({why})"),
        }
    }
}
