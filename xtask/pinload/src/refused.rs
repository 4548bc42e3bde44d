//! Registrations of io_uring buffers that the kernel refuses after it has pinned pages, and drops these pins.
//!
//! `io_sqe_buffer_register` (io_uring/rsrc.c) pins the pages, and then charges them to RLIMIT_MEMLOCK. `io_pin_pages` drops
//! the pins of a call that stops at a hole.

use clap::{Args, ValueEnum};
use io_uring::IoUring;
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
use crate::memory::{Buffer, FirstTouch, MemorySpec, PAGE, Sharing};
use crate::pins::PinCounts;
use crate::report;
use crate::vmstat::PinCounters;
use crate::workload::IoUringBuffers;

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
    let child = ForkedChild::fork(|link| {
        if arguments.case == RefusedCase::Memlock {
            become_limited()?;
            // A change of the user clears the signal that the child gets when its parent dies.
            child::die_with(parent);
        }
        let expected = register(arguments)?;
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
    let expected = PinCounts::transient(Some(arguments.pinned()));
    let counted = begin.settle(expected);
    HoldCondition::new(None, arguments.hold_until_stdin).wait()?;
    child.finish().and_then(child::check)?;
    compare(expected, Some(counted?))
}

/// Makes all registrations. Fails if the kernel does not answer as the case demands.
fn register(arguments: &RefusedArgs) -> Result<PinCounts> {
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
    let ring = IoUringBuffers::make_ring()?;
    for _ in 0..arguments.calls {
        arguments.case.check(register_once(&ring, whole))?;
    }
    Ok(PinCounts::transient(Some(arguments.pinned())))
}

/// Registers memory, and removes the buffer if the kernel has accepted it. Returns the error of the kernel.
fn register_once(ring: &IoUring, whole: iovec) -> std::result::Result<(), Errno> {
    let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let submitter = ring.submitter();
    // SAFETY: the memory outlives the registration, and no request uses the buffer. The kernel checks the range.
    unsafe { submitter.register_buffers(&[whole]) }.map_err(errno)?;
    submitter.unregister_buffers().map_err(errno)
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
    /// Returns the pages that all calls pin.
    const fn pinned(&self) -> u64 {
        let pages = match self.case {
            RefusedCase::Efault => BEFORE_HOLE,
            RefusedCase::Memlock | RefusedCase::Quiet => self.pages,
        };
        self.calls * pages
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
