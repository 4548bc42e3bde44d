//! The raw calls of userfaultfd(2).

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::read;

use crate::failure::{Explain, Failure, Result};

const NOT_HERE: &str = "run as root, on a kernel whose userfaultfd has this feature";
const BUG: &str = "report this as a bug of pinload";
/// `UFFD_API`.
const API: u64 = 0xaa;
/// `UFFD_EVENT_PAGEFAULT`.
const PAGE_FAULT: u8 = 0x12;
/// Bytes of a `struct uffd_msg`.
const MESSAGE: usize = 32;

/// The faults that a descriptor reports; each is a bit of `UFFDIO_REGISTER_MODE_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultMode {
    /// Accesses to missing pages.
    Missing = 1,
    /// Writes to write-protected pages.
    WriteProtect = 2,
}

/// Features that the kernel must offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UffdFeature {
    /// No feature.
    None = 0,
    /// `UFFD_FEATURE_PAGEFAULT_FLAG_WP` (5.7).
    WriteProtect = 1,
    /// `UFFD_FEATURE_PAGEFAULT_FLAG_WP` and `UFFD_FEATURE_WP_HUGETLBFS_SHMEM` (5.19).
    WriteProtectHugetlb = 1 | 1 << 12,
    /// `UFFD_FEATURE_PAGEFAULT_FLAG_WP` and `UFFD_FEATURE_WP_ASYNC` (6.7): writes go on without a fault message.
    WriteProtectAsync = 1 | 1 << 15,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct ApiHandshake {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Register {
    start: u64,
    length: u64,
    mode: u64,
    ioctls: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct WriteProtect {
    start: u64,
    length: u64,
    mode: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct ZeroPage {
    start: u64,
    length: u64,
    mode: u64,
    zeroed: i64,
}

mod raw {
    use super::{ApiHandshake, Register, WriteProtect, ZeroPage};

    nix::ioctl_readwrite!(api, super::API, 0x3f, ApiHandshake);
    nix::ioctl_readwrite!(register, super::API, 0x00, Register);
    nix::ioctl_readwrite!(zero_page, super::API, 0x04, ZeroPage);
    nix::ioctl_readwrite!(write_protect, super::API, 0x06, WriteProtect);
}

/// A non-blocking userfaultfd.
#[derive(Debug)]
pub(crate) struct Userfault(OwnedFd);

impl Userfault {
    /// Creates a userfaultfd without registered ranges.
    pub(crate) fn new(feature: UffdFeature) -> Result<Self> {
        // SAFETY: userfaultfd takes only flags.
        let descriptor = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK) };
        let descriptor = Errno::result(descriptor).unavailable("cannot create a userfaultfd", NOT_HERE)?;
        let descriptor = i32::try_from(descriptor).failing("userfaultfd returned no descriptor", BUG)?;
        // SAFETY: the kernel has just returned the descriptor; nothing else owns it.
        let this = Self(unsafe { OwnedFd::from_raw_fd(descriptor) });
        let mut handshake = ApiHandshake {
            api: API,
            features: feature as u64,
            ioctls: 0,
        };
        // SAFETY: the structure has the layout that the ioctl reads and writes.
        unsafe { raw::api(this.0.as_raw_fd(), &raw mut handshake) }
            .unavailable(&format!("userfaultfd does not offer {feature:?}"), NOT_HERE)?;
        Ok(this)
    }

    /// Registers a range of this process.
    pub(crate) fn register(&self, (start, length): (usize, usize), watch: FaultMode) -> Result<()> {
        let mut arguments = Register {
            start: start as u64,
            length: length as u64,
            mode: watch as u64,
            ioctls: 0,
        };
        // SAFETY: as above; the kernel rejects ranges that are not mapped.
        unsafe { raw::register(self.0.as_raw_fd(), &raw mut arguments) }
            .unavailable(&format!("userfaultfd cannot report {watch:?}"), NOT_HERE)?;
        Ok(())
    }

    /// Write-protects a range, or removes the protection and wakes the waiting threads.
    pub(crate) fn protect(&self, (start, length): (usize, usize), protect: bool) -> Result<()> {
        let mut arguments = WriteProtect {
            start: start as u64,
            length: length as u64,
            mode: u64::from(protect),
        };
        // SAFETY: as above.
        unsafe { raw::write_protect(self.0.as_raw_fd(), &raw mut arguments) }
            .failing("cannot change the write protection of a range", BUG)?;
        Ok(())
    }

    /// Maps zero pages into a missing range, and wakes the waiting threads.
    pub(crate) fn fill(&self, (start, length): (usize, usize)) -> Result<()> {
        let mut arguments = ZeroPage {
            start: start as u64,
            length: length as u64,
            ..ZeroPage::default()
        };
        // SAFETY: as above.
        unsafe { raw::zero_page(self.0.as_raw_fd(), &raw mut arguments) }
            .failing("cannot fill a missing page", BUG)?;
        Ok(())
    }

    /// Returns the address of the next waiting fault, if there is one.
    pub(crate) fn next_fault(&self) -> Result<Option<usize>> {
        let mut message = [0; MESSAGE];
        match read(&self.0, &mut message) {
            Ok(_) => address(message)
                .map(Some)
                .ok_or_else(|| Failure::failed("userfaultfd reported an event other than a page fault", BUG)),
            Err(Errno::EAGAIN) => Ok(None),
            Err(error) => Err(error).failing("cannot read a userfaultfd", BUG),
        }
    }
}

impl AsFd for Userfault {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Returns the faulting address in a `struct uffd_msg`.
fn address(message: [u8; MESSAGE]) -> Option<usize> {
    let address = u64::from_ne_bytes(message[16..24].try_into().ok()?);
    (message[0] == PAGE_FAULT).then_some(usize::try_from(address).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_page_faults_have_an_address() {
        let mut message = [0; MESSAGE];
        message[16..24].copy_from_slice(&0x7000_1000_u64.to_ne_bytes());
        assert_eq!(address(message), None);
        message[0] = PAGE_FAULT;
        assert_eq!(address(message), Some(0x7000_1000));
    }
}
