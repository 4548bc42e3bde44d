//! Threads inside process_vm_readv, each of which holds one short-term pin until pinload lets the thread continue.

use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, FirstTouch, MemorySpec, PAGE, Sharing};
use crate::report;
use crate::self_read::read_page;
use crate::userfault::{FaultMode, UffdFeature, Userfault};

const BUG: &str = "report this as a bug of pinload";
/// Bytes of the stack of a thread.
const STACK: usize = 128 << 10;

/// The missing memory into which the threads read.
pub(super) struct BlockedThreads {
    fault: Userfault,
    missing: Buffer,
    used: usize,
}

/// A thread that holds a pin.
pub(super) struct BlockedThread {
    pub(super) tid: i32,
    /// The page that the thread waits for.
    address: usize,
    thread: JoinHandle<nix::Result<usize>>,
}

impl BlockedThreads {
    /// Prepares room for `most` threads, one after another or at once.
    pub(super) fn new(most: usize) -> Result<Self> {
        let missing = Buffer::new(MemorySpec {
            pages: most as u64,
            backing: Backing::Small,
            sharing: Sharing::Private,
            first_touch: FirstTouch::Nothing,
        })?;
        let fault = Userfault::new(UffdFeature::None)?;
        fault.register(missing.extent(), FaultMode::Missing)?;
        Ok(Self {
            fault,
            missing,
            used: 0,
        })
    }

    /// Starts a thread that reads the page at `source` of this process. Returns once the thread holds its pin.
    pub(super) fn start(&mut self, source: usize) -> Result<BlockedThread> {
        let address = self.missing.address() + self.used * PAGE;
        self.used += 1;
        let (sender, receiver) = mpsc::channel();
        let thread = Builder::new().stack_size(STACK).spawn(move || {
            // The receiver is waiting for the thread id.
            let _ = sender.send(report::caller().1);
            read_page(address, source, PAGE)
        });
        let thread = thread.failing("cannot start a thread", "raise ulimit -u")?;
        let tid = receiver.recv().failing("a thread has ended", BUG)?;
        // The call pins before the copy, so the pin is taken when the copy waits.
        let mut waiting = [PollFd::new(self.fault.as_fd(), PollFlags::POLLIN)];
        poll(&mut waiting, PollTimeout::from(60_000_u16)).failing("cannot wait for a fault", BUG)?;
        match self.fault.next_fault()? {
            Some(fault) if fault / PAGE * PAGE == address => Ok(BlockedThread { tid, address, thread }),
            _ => Err(Failure::failed(
                "process_vm_readv did not wait for the destination page",
                "check that this kernel lets root read the memory of its own process",
            )),
        }
    }

    /// Lets a thread continue, which releases its pin, and waits for its end.
    pub(super) fn end(&self, blocked: BlockedThread) -> Result<()> {
        self.fault.fill((blocked.address, PAGE))?;
        let read = blocked.thread.join().unwrap_or(Ok(0));
        check(read)
    }
}

/// Fails unless a whole page was read.
pub(super) fn check(read: nix::Result<usize>) -> Result<()> {
    match read.failing("cannot read this process's own memory", BUG)? {
        PAGE => Ok(()),
        bytes => Err(Failure::failed(
            format!("process_vm_readv read {bytes} bytes"),
            BUG,
        )),
    }
}
