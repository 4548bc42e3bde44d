//! The paths through the kernel on which test pins are taken and released.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use super::io_uring;
use super::own_pages::{OwnPages, PAGE};

/// A path through the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// process_vm_readv (mm/process_vm_access.c): unpin_user_pages_dirty_lock, which calls unpin_user_pages.
    ProcessVm,
    /// A registered buffer of io_uring (io_uring/rsrc.c).
    IoUring,
    /// A direct read of the executable, by the code of its file system and of the block layer (block/bio.c).
    DirectRead,
}

/// Pages of the calls of process_vm_readv.
const CALLS: [usize; 2] = [1, 3];
const BUFFER: usize = 2;

impl Path {
    /// Every path.
    pub const ALL: [Self; 3] = [Self::ProcessVm, Self::IoUring, Self::DirectRead];

    /// Returns the name for users.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProcessVm => "process_vm_readv",
            Self::IoUring => "io_uring",
            Self::DirectRead => "direct I/O",
        }
    }

    /// Returns the number of pages that the test pins and releases.
    pub(super) fn pages(self) -> u64 {
        match self {
            Self::ProcessVm => CALLS.iter().sum::<usize>() as u64,
            Self::IoUring => BUFFER as u64,
            Self::DirectRead => 1,
        }
    }

    /// Returns true if the kernel may take references (FOLL_GET) instead of pins on this path: up to 6.4, and in some
    /// file systems.
    pub(super) const fn may_take_references(self) -> bool {
        matches!(self, Self::DirectRead)
    }

    /// Pins and releases the pages in the running thread. The error is a reason to skip the path.
    pub(super) fn take_and_release(self) -> Result<(), String> {
        match self {
            Self::ProcessVm => CALLS.into_iter().try_for_each(process_vm),
            Self::IoUring => io_uring::register_and_unregister(BUFFER),
            Self::DirectRead => direct_read(),
        }
    }
}

/// Names the call that failed.
pub(super) fn failed(call: &'static str) -> impl Fn(io::Error) -> String {
    move |error| format!("{call}: {error}")
}

/// Returns the result of a system call.
pub(super) fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

fn process_vm(pages: usize) -> Result<(), String> {
    let own = OwnPages::map(pages).map_err(failed("mmap"))?;
    let mut copy = vec![0u8; pages * PAGE];
    let local = libc::iovec {
        iov_base: copy.as_mut_ptr().cast(),
        iov_len: copy.len(),
    };
    let remote = own.vector(pages);
    // SAFETY: getpid takes no pointers.
    let pid = unsafe { libc::getpid() };
    // SAFETY: both vectors describe live memory of their length, and the copy is borrowed mutably.
    let copied = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    let copied = checked(copied as libc::c_long).map_err(failed("process_vm_readv"))?;
    if usize::try_from(copied) != Ok(copy.len()) {
        return Err(format!(
            "process_vm_readv copied {copied} of {} bytes",
            copy.len()
        ));
    }
    Ok(())
}

fn direct_read() -> Result<(), String> {
    let own = OwnPages::map(1).map_err(failed("mmap"))?;
    let executable = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open("/proc/self/exe")
        .map_err(failed("open of the executable with O_DIRECT"))?;
    let to = own.vector(1);
    // SAFETY: the vector describes a live page, which nothing else uses.
    let read = unsafe { libc::pread(executable.as_raw_fd(), to.iov_base, to.iov_len, 0) };
    checked(read as libc::c_long).map_err(failed("direct read of the executable"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_can_be_taken_or_says_why_not() {
        assert_eq!(Path::ProcessVm.take_and_release(), Ok(()));
        for path in Path::ALL {
            if let Err(why) = path.take_and_release() {
                assert!(why.contains("os error"), "{path:?}: {why}");
            }
        }
    }
}
