//! Processes that hold pins, and whose memory or threads do not show it.

use std::env;
use std::fs;
use std::io::IoSliceMut;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc::{SYS_exit, syscall};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::{Pid, getpid};

use super::memory::{PAGES, small};
use super::ring::Ring;
use super::situation::Situation;
use crate::child::{self, ForkedChild, ParentLink};
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, Sharing};
use crate::wait::wait_for;

/// Time limit for the end of a thread.
const LIMIT: Duration = Duration::from_secs(5);

/// A child registers memory that this process maps as well, and of which this process has pinned a page before.
pub(super) fn shared_memory() -> Result<Situation> {
    let buffer = small(PAGES, Sharing::Memfd)?;
    pin_once(&buffer)?;
    let child = ForkedChild::holding(|| {
        let ring = Ring::new()?;
        ring.register(&buffer)?;
        Ok(ring)
    })?;
    let mut situation = held_by(child);
    situation.is_innocent(getpid());
    situation.keep(buffer);
    Ok(situation)
}

/// Pins the first page within one call.
fn pin_once(buffer: &Buffer) -> Result<()> {
    let mut byte = [0];
    let remote = RemoteIoVec {
        base: buffer.address(),
        len: byte.len(),
    };
    process_vm_readv(getpid(), &mut [IoSliceMut::new(&mut byte)], &[remote])
        .map(drop)
        .failing("cannot read the own memory", "report this as a bug")
}

/// The second thread of a child registers memory, and the first thread ends.
pub(super) fn zombie_leader() -> Result<Situation> {
    let child = ForkedChild::fork(|parent| {
        leave_to_a_thread(parent);
        Ok(())
    })?
    .when_ready()?;
    let pid = child.pid();
    if !wait_for(LIMIT, Duration::from_millis(1), || is_zombie(pid))? {
        return Err(Failure::failed(
            "the first thread of a child has not ended",
            "report this as a bug",
        ));
    }
    Ok(held_by(child))
}

/// Ends the calling thread, and leaves the process to a new thread.
fn leave_to_a_thread(parent: &ParentLink) {
    let work = || {
        let ring = Ring::new()?;
        let buffer = small(PAGES, Sharing::Private)?;
        ring.register(&buffer)?;
        parent.ready()?;
        parent.wait()
    };
    thread::scope(|scope| {
        scope.spawn(|| child::exit_with(&work()));
        // SAFETY: the call ends this thread alone. Its stack, which the other thread uses, stays mapped.
        unsafe { syscall(SYS_exit, 0) };
    });
}

fn is_zombie(pid: Pid) -> Result<bool> {
    let file = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&file).failing(&format!("cannot read {file}"), "mount /proc")?;
    Ok(stat
        .rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z')))
}

/// A child registers memory, and executes pinload again, which waits.
pub(super) fn execed() -> Result<Situation> {
    let program = env::current_exe().failing("cannot find pinload's own file", "mount /proc")?;
    let child = ForkedChild::fork(|parent| {
        let ring = Ring::new()?;
        let buffer = small(PAGES, Sharing::Private)?;
        ring.register(&buffer)?;
        fcntl(&ring, FcntlArg::F_SETFD(FdFlag::empty()))
            .failing("cannot keep the ring open", "report this as a bug")?;
        parent.exec(Command::new(program).arg("wait-for-parent"))
    })?;
    Ok(held_by(child.when_ready()?))
}

/// Returns the situation in which a child holds the pins of one buffer in an io_uring.
fn held_by(child: ForkedChild) -> Situation {
    let mut situation = Situation::default();
    situation.is_held_by(child.pid(), PAGES, "io_uring");
    situation.keep_child(child);
    situation
}
