//! A process that shares the memory of this process without being one of its threads (`CLONE_VM`).

use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::wait::{WaitStatus, waitpid};

use crate::failure::{Explain, Failure, Result};

const BUG: &str = "report this as a bug of pinload";
const STACK: usize = 64 << 10;

/// Runs `work` in a process that shares this process's memory, and waits for its end. `work` must only access memory: the
/// process shares the thread-local data of the calling thread, which the kernel suspends meanwhile (`CLONE_VFORK`).
pub(crate) fn run_as_sibling(work: impl Fn()) -> Result<()> {
    let mut stack = vec![0; STACK];
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    let run = Box::new(|| {
        work();
        0
    });
    // SAFETY: the stack outlives the process, and `work` only accesses memory.
    let pid = unsafe { clone(run, &mut stack, flags, Some(libc::SIGCHLD)) }
        .failing("cannot start a process that shares memory", "raise ulimit -u")?;
    match waitpid(pid, None).failing("cannot wait for a process", BUG)? {
        WaitStatus::Exited(_, 0) => Ok(()),
        end => Err(Failure::failed(
            format!("a process that shares memory ended with {end:?}"),
            BUG,
        )),
    }
}
