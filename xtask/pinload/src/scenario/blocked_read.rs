//! Pins without FOLL_LONGTERM that last as long as the caller wants.
//!
//! process_vm_readv pins the pages to read (up to 1024 pages at once), then copies. The destination of the copy is a
//! missing page registered with a userfaultfd, so the call blocks with its pins until the page is mapped.

use std::os::fd::AsFd;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::scenario_run::{PinnedRange, ScenarioRun};
use crate::choice::{Backing, PinKind};
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, FirstTouch, MemorySpec, PAGE, Sharing};
use crate::pins::PinCounts;
use crate::report;
use crate::self_read::read_page;
use crate::userfault::{FaultMode, UffdFeature, Userfault};

/// Pages that one process_vm_readv pins at a time (`PVM_MAX_KMALLOC_PAGES` of pointers).
const MOST: u64 = 1024;
const BUG: &str = "report this as a bug of pinload";

/// A thread inside process_vm_readv, which holds the pins.
pub(super) struct BlockedRead {
    fault: Userfault,
    missing: Buffer,
    thread: JoinHandle<nix::Result<usize>>,
    held: PinnedRange,
}

impl BlockedRead {
    /// Starts the call and returns after the pins are taken.
    fn start(buffer: &Buffer) -> Result<Self> {
        let missing = Buffer::new(MemorySpec {
            pages: 1,
            backing: Backing::Small,
            sharing: Sharing::Private,
            first_touch: FirstTouch::Nothing,
        })?;
        let fault = Userfault::new(UffdFeature::None)?;
        fault.register(missing.extent(), FaultMode::Missing)?;
        let (address, bytes, target) = (buffer.address(), buffer.bytes(), missing.address());
        let began_ns = report::now_ns();
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            // The receiver is waiting for the thread id.
            let _ = sender.send(report::caller().1);
            read_page(target, address, bytes)
        });
        let tid = receiver.recv().failing("the reading thread has ended", BUG)?;
        let pins = (bytes / PAGE) as u64;
        let this = Self {
            held: PinnedRange {
                kind: Some(PinKind::ProcessVm),
                tid,
                address,
                pins: PinCounts::lasting(Some(pins), Some(pins)),
                began_ns,
            },
            fault,
            missing,
            thread,
        };
        this.await_fault()?;
        Ok(this)
    }

    /// Waits until the copy blocks. The call pins before the copy, so the pins are taken then.
    fn await_fault(&self) -> Result<()> {
        let mut waiting = [PollFd::new(self.fault.as_fd(), PollFlags::POLLIN)];
        poll(&mut waiting, PollTimeout::from(60_000_u16)).failing("cannot wait for a fault", BUG)?;
        match self.fault.next_fault()? {
            Some(address) if address / PAGE * PAGE == self.missing.address() => Ok(()),
            _ => Err(Failure::failed(
                "process_vm_readv did not wait for the destination page",
                "check that this kernel lets root read the memory of its own process",
            )),
        }
    }

    /// Lets the call return, which releases the pins, and prints `released`.
    pub(super) fn finish(self, run: &ScenarioRun) -> Result<()> {
        let began_ns = report::now_ns();
        self.fault.fill(self.missing.extent())?;
        let copied = self.thread.join().unwrap_or(Ok(0));
        let copied = copied.failing("cannot read this process's own memory", BUG)?;
        if copied != PAGE {
            return Err(Failure::failed(
                format!("process_vm_readv read {copied} bytes"),
                BUG,
            ));
        }
        run.released(self.held, false, began_ns)
    }
}

/// Starts a blocked process_vm_readv, prints `ready`, and waits for the hold condition.
pub(super) fn start(run: &ScenarioRun, buffer: &Buffer) -> Result<BlockedRead> {
    if run.pages() > MOST {
        return Err(Failure::usage(
            format!("process_vm_readv holds {MOST} pages at most"),
            "ask for fewer --pages",
        ));
    }
    let waiting = BlockedRead::start(buffer)?;
    run.ready(waiting.held)?;
    run.wait()?;
    Ok(waiting)
}
