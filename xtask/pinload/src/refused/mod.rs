//! Registrations that the kernel refuses, and the pins that it takes and drops on the way.
//!
//! `io_sqe_buffer_register` (io_uring/rsrc.c) and `vfio_pin_pages_remote` (drivers/vfio/vfio_iommu_type1.c) pin pages, and
//! then compare with RLIMIT_MEMLOCK. `ib_umem_get` (drivers/infiniband/core/umem.c) compares first, and pins nothing. All
//! drop the pins of a call that stops at a hole.

mod registrar;

use clap::{Args, ValueEnum};
use nix::errno::Errno;
use nix::libc::iovec;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, getpid, setgid, setgroups, setuid};
use serde::Serialize;

use crate::child::{self, ForkedChild};
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};
use crate::hold::HoldCondition;
use crate::holder::compare;
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, FirstTouch, MemorySpec, PAGE, Sharing};
use crate::pins::PinCounts;
use crate::report;
use crate::vmstat::PinCounters;

use self::registrar::{Prepared, RegistrationKind};

/// RLIMIT_MEMLOCK of the refused process, in bytes.
const LIMIT: u64 = 64 << 10;
/// The user of the refused process, since root has no limit.
const USER: u32 = 1000;
/// Pages before the hole.
const BEFORE_HOLE: u64 = 40;

/// Options of `refused`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RefusedArgs {
    /// Why the kernel refuses the registration
    #[arg(value_enum)]
    case: RefusedCase,
    /// What registers the memory
    #[arg(long, value_enum, default_value_t = RegistrationKind::IoUring)]
    by: RegistrationKind,
    /// Pages of 4 KiB of each registration
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(41..=1 << 16))]
    pages: u64,
    /// Number of registrations
    #[arg(long, default_value_t = 3)]
    calls: u64,
    /// Stay until a line or end of file arrives on standard input
    #[arg(long)]
    hold_until_stdin: bool,
}

/// Why the kernel refuses a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RefusedCase {
    /// RLIMIT_MEMLOCK is 64 KiB (ENOMEM); the process runs as user 1000
    Memlock,
    /// The memory ends after 40 pages (EFAULT)
    Efault,
    /// Control: the kernel accepts each registration, and pinload removes the buffer
    Quiet,
}

/// The calls have returned.
#[derive(Serialize)]
struct CallsLine {
    event: &'static str,
    pid: i32,
    case: String,
    calls: u64,
    /// The error of each call; absent if the kernel accepts the calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<String>,
    /// The pins of all calls, which are released.
    expected_pins: PinCounts,
    time_ns: u64,
}

/// Lets a child register memory, and compares the pins with /proc/vmstat.
pub(crate) fn run(arguments: &RefusedArgs) -> Result<()> {
    PinCounters::wait_until_stable()?;
    let begin = PinCounters::read()?;
    let parent = getpid();
    let prepared = arguments.by.prepare()?;
    let child = ForkedChild::fork(|link| {
        if arguments.case == RefusedCase::Memlock {
            become_limited()?;
            // A change of the user clears the signal that the child gets when its parent dies.
            child::die_with(parent);
        }
        let expected = register(arguments, prepared)?;
        report::print(&CallsLine {
            event: "calls",
            pid: getpid().as_raw(),
            case: arguments.case.name(),
            calls: arguments.calls,
            errno: arguments.case.errno().map(|errno| format!("{errno:?}")),
            expected_pins: expected,
            time_ns: report::now_ns(),
        })?;
        link.wait()
    })?;
    let expected = PinCounts::transient(arguments.pinned()?);
    let counted = begin.settle(expected);
    HoldCondition::new(None, arguments.hold_until_stdin).wait()?;
    child.finish().and_then(child::check)?;
    compare(expected, Some(counted?))
}

/// Makes all registrations. Fails if the kernel does not answer as the case demands.
fn register(arguments: &RefusedArgs, prepared: Prepared) -> Result<PinCounts> {
    let mut buffer = Buffer::new(MemorySpec {
        pages: arguments.pages,
        backing: Backing::Small,
        sharing: Sharing::Private,
        first_touch: FirstTouch::Write,
    })?;
    let whole = iovec {
        iov_base: std::ptr::with_exposed_provenance_mut(buffer.address()),
        iov_len: buffer.bytes(),
    };
    if arguments.case == RefusedCase::Efault {
        buffer.unmap_from(usize::try_from(BEFORE_HOLE).unwrap_or(0) * PAGE)?;
    }
    let registrar = prepared.open()?;
    for _ in 0..arguments.calls {
        arguments.case.check(registrar.register_once(whole))?;
    }
    Ok(PinCounts::transient(arguments.pinned()?))
}

/// Gives up root, and with it the right to lock memory beyond the limit.
fn become_limited() -> Result<()> {
    const REMEDY: &str = "run as root";
    setrlimit(Resource::RLIMIT_MEMLOCK, LIMIT, LIMIT).failing("cannot limit locked memory", REMEDY)?;
    setgroups(&[]).failing("cannot give up groups", REMEDY)?;
    setgid(Gid::from_raw(USER)).failing("cannot change the group", REMEDY)?;
    setuid(Uid::from_raw(USER)).failing("cannot change the user", REMEDY)
}

impl RefusedArgs {
    /// Returns the pages that all calls pin; `None` if they were never counted on this kernel.
    fn pinned(&self) -> Result<Option<u64>> {
        let pages = match (self.case, self.by) {
            (RefusedCase::Memlock, RegistrationKind::Rdma) => Some(0),
            (RefusedCase::Memlock, RegistrationKind::Vfio) => KernelRelease::running()?
                .vfio_batch()
                .map(|batch| batch.min(self.pages)),
            (RefusedCase::Efault, RegistrationKind::Vfio) => {
                KernelRelease::running()?.vfio_batch().map(|_| BEFORE_HOLE)
            }
            (RefusedCase::Quiet, RegistrationKind::Vfio) => {
                KernelRelease::running()?.vfio_batch().map(|_| self.pages)
            }
            (RefusedCase::Efault, _) => Some(BEFORE_HOLE),
            (RefusedCase::Memlock | RefusedCase::Quiet, _) => Some(self.pages),
        };
        Ok(pages.map(|pages| self.calls * pages))
    }
}

impl RefusedCase {
    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }

    const fn errno(self) -> Option<Errno> {
        match self {
            Self::Memlock => Some(Errno::ENOMEM),
            Self::Efault => Some(Errno::EFAULT),
            Self::Quiet => None,
        }
    }

    fn check(self, result: std::result::Result<(), Errno>) -> Result<()> {
        if result.err() == self.errno() {
            return Ok(());
        }
        Err(Failure::failed(
            format!("the kernel answered {result:?} in the case {}", self.name()),
            "check that no other process of user 1000 locks memory, then report this as a bug of pinload",
        ))
    }
}
