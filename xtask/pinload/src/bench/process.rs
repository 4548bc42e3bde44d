//! Operations on processes.

use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, getppid};

use super::memory::keep_idle_thread;
use super::timer::Timer;
use crate::failure::{Explain, Result};

/// Makes a cheap system call.
pub(super) fn system_call(timer: &mut Timer) -> Result<()> {
    keep_idle_thread();
    timer.repeat(|| {
        std::hint::black_box(getppid());
        Ok(())
    })
}

/// Forks a child that exits at once, and waits for the child.
pub(super) fn fork(timer: &mut Timer) -> Result<()> {
    keep_idle_thread();
    timer.repeat(|| {
        // SAFETY: the child only calls `_exit`, which is allowed in the child of a process with threads.
        let forked = unsafe { nix::unistd::fork() }.failing("cannot fork", "raise ulimit -u")?;
        match forked {
            // SAFETY: `_exit` does not return and takes no pointer.
            ForkResult::Child => unsafe { libc::_exit(0) },
            ForkResult::Parent { child } => waitpid(child, None)
                .map(drop)
                .failing("cannot wait for a child", "report this as a bug of pinload"),
        }
    })
}
