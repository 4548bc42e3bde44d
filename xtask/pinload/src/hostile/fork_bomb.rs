//! Processes that fork in turn, until a limit of processes (`pids.max`) or the end of the attack.

use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::unistd::{ForkResult, fork, getpid};

use super::{Bound, pages};
use crate::failure::{Explain, Failure, Result};
use crate::memory::PAGE;
use crate::self_read;

/// The pause of a process that may not fork.
const PAUSE: Duration = Duration::from_millis(2);

/// Forks until the end of the attack in this process and in all its descendants. Returns the number of forks.
pub(super) fn run(bound: Bound) -> Result<u64> {
    let first = getpid();
    let forks = counter()?;
    let buffer = pages(2)?;
    // SAFETY: the disposition of a signal without a handler; the kernel then reaps the children by itself.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    while bound.allows(forks.load(Ordering::Relaxed)) {
        // SAFETY: the process has one thread, so the child may call any function.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                let _ = self_read::read_page(buffer.address(), buffer.address() + PAGE, PAGE);
            }
            Ok(ForkResult::Parent { .. }) => {
                forks.fetch_add(1, Ordering::Relaxed);
            }
            Err(Errno::EAGAIN) => {
                if getpid() != first && forks.load(Ordering::Relaxed) % 3 == 0 {
                    // Makes room for others, so that processes begin and end all the time.
                    exit();
                }
                thread::sleep(PAUSE);
            }
            Err(error) => {
                return Err(Failure::failed(
                    format!("cannot fork: {error}"),
                    "report this as a bug of pinload",
                ));
            }
        }
    }
    if getpid() != first {
        exit();
    }
    Ok(forks.load(Ordering::Relaxed))
}

fn exit() -> ! {
    // SAFETY: `_exit` does not return and takes no pointer.
    unsafe { libc::_exit(0) }
}

/// Returns a counter that all descendants share.
fn counter() -> Result<&'static AtomicU64> {
    let length = NonZeroUsize::new(PAGE).unwrap_or(NonZeroUsize::MIN);
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a fresh mapping at an address that the kernel chooses.
    let mapped = unsafe { mmap_anonymous(None, length, access, MapFlags::MAP_SHARED) }
        .failing("cannot map shared memory", "free some memory")?;
    let counter: NonNull<AtomicU64> = mapped.cast();
    // SAFETY: the page is zeroed, aligned, and mapped until the process ends.
    Ok(unsafe { counter.as_ref() })
}
