//! Threads that write continuously, and a thread that resolves their userfaultfd faults.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::pipe2;

use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};
use crate::memory::Buffer;
use crate::run::joined;
use crate::userfault::{FaultMode, UffdFeature, Userfault};

const BUG: &str = "report this as a bug of pinload";

/// Memory whose write faults a userfaultfd reports, and the number of resolved faults.
pub(super) struct UffdWriters<'a> {
    fault: Userfault,
    buffers: Vec<&'a Buffer>,
    stop: AtomicBool,
    handled: Mutex<FaultCount>,
    more: Condvar,
}

/// The progress of the fault handler.
#[derive(Clone, Copy, Debug, Default)]
struct FaultCount {
    faults: u64,
    over: bool,
}

impl<'a> UffdWriters<'a> {
    /// Registers the buffers; no thread writes yet.
    pub(super) fn new(buffers: Vec<&'a Buffer>) -> Result<Self> {
        let hugetlb = |buffer: &&Buffer| buffer.wanted().backing == Backing::Hugetlb;
        let fault = Userfault::new(if buffers.iter().any(hugetlb) {
            UffdFeature::WriteProtectHugetlb
        } else {
            UffdFeature::WriteProtect
        })?;
        for buffer in &buffers {
            fault.register(buffer.extent(), FaultMode::WriteProtect)?;
        }
        Ok(Self {
            fault,
            buffers,
            stop: AtomicBool::new(false),
            handled: Mutex::default(),
            more: Condvar::new(),
        })
    }

    /// Registers an additional buffer, to which no thread writes.
    pub(super) fn watch(&self, buffer: &Buffer) -> Result<()> {
        self.fault.register(buffer.extent(), FaultMode::WriteProtect)
    }

    /// Runs `work` while `writers` threads write to all buffers. The buffers are writable afterwards.
    pub(super) fn run<T>(&self, writers: u32, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let (listen, hang_up) = pipe2(OFlag::O_CLOEXEC).failing("cannot create a pipe", "raise ulimit -n")?;
        thread::scope(|scope| {
            let helper = scope.spawn(move || self.handle_until(&File::from(listen)));
            let writers: Vec<_> = (0..writers).map(|_| scope.spawn(|| self.write())).collect();
            let worked = work(self);
            self.stop.store(true, Ordering::Relaxed);
            let freed = self.buffers.iter().try_for_each(|buffer| self.allow(buffer));
            let written = writers.into_iter().map(joined).fold(freed, Result::and);
            drop(hang_up);
            let passed = joined(helper);
            worked.and_then(|result| passed.and(written).map(|()| result))
        })
    }

    /// Makes each page writable, writes to each page, and write-protects the whole buffer. The write-protect always
    /// changes a page, because the writers and the handler only make pages writable.
    pub(super) fn protect(&self, buffer: &Buffer) -> Result<()> {
        self.allow(buffer)?;
        buffer.write_concurrently();
        self.fault.protect(buffer.extent(), true)
    }

    /// Write-protects a buffer without an earlier write.
    pub(super) fn protect_untouched(&self, buffer: &Buffer) -> Result<()> {
        self.fault.protect(buffer.extent(), true)
    }

    /// Returns the number of resolved faults.
    pub(super) fn faults(&self) -> u64 {
        self.handled().faults
    }

    /// Waits until more than `faults` faults are resolved.
    pub(super) fn await_fault(&self, faults: u64) -> Result<()> {
        let waiting = |handled: &mut FaultCount| handled.faults <= faults && !handled.over;
        let handled = self
            .more
            .wait_while(self.handled(), waiting)
            .unwrap_or_else(PoisonError::into_inner);
        if handled.faults > faults {
            return Ok(());
        }
        Err(Failure::failed("the fault handler has ended", "see its message"))
    }

    fn handled(&self) -> std::sync::MutexGuard<'_, FaultCount> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allow(&self, buffer: &Buffer) -> Result<()> {
        self.fault.protect(buffer.extent(), false)
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "its threads are joined like threads that can fail"
    )]
    fn write(&self) -> Result<()> {
        while !self.stop.load(Ordering::Relaxed) {
            for buffer in &self.buffers {
                buffer.write_concurrently();
            }
        }
        Ok(())
    }

    fn handle_until(&self, hang_up: &File) -> Result<()> {
        let result = self.handle(hang_up);
        self.handled().over = true;
        self.more.notify_all();
        result
    }

    /// Resolves each fault, until the other end of the pipe is closed.
    fn handle(&self, hang_up: &File) -> Result<()> {
        loop {
            let mut waiting = [
                PollFd::new(self.fault.as_fd(), PollFlags::POLLIN),
                PollFd::new(hang_up.as_fd(), PollFlags::POLLIN),
            ];
            poll(&mut waiting, PollTimeout::NONE).failing("cannot wait for faults", BUG)?;
            let over = waiting[1].any().unwrap_or(true);
            while let Some(address) = self.fault.next_fault()? {
                self.pass(address)?;
            }
            if over {
                return Ok(());
            }
        }
    }

    fn pass(&self, address: usize) -> Result<()> {
        let within = |buffer: &&&Buffer| {
            let (start, length) = buffer.extent();
            (start..start + length).contains(&address)
        };
        let buffer = self.buffers.iter().find(within);
        let unit = buffer
            .ok_or_else(|| Failure::failed(format!("a fault at {address:#x}, outside all buffers"), BUG))?
            .unit();
        self.fault.protect((address / unit * unit, unit), false)?;
        self.handled().faults += 1;
        self.more.notify_all();
        Ok(())
    }
}
