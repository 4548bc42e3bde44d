//! Direct I/O that reads into memory, which the kernel references without a pin up to 6.4 (FOLL_GET).

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::thread;

use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd::{ForkResult, fork, pipe2};

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::pinned::frames;
use super::scenario_run::{PinnedRange, ScenarioRun};
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, PAGE, Sharing};
use crate::network_disk::{CONTENT, HELD, NetworkDisk};
use crate::report;

const BUG: &str = "report this as a bug of pinload";

/// The parent writes while the read is under way.
pub(super) fn write_during(run: &mut ScenarioRun) -> Result<()> {
    play(run, true)
}

/// Control: the parent writes after the read.
pub(super) fn write_after(run: &mut ScenarioRun) -> Result<()> {
    play(run, false)
}

fn play(run: &mut ScenarioRun, during: bool) -> Result<()> {
    let mut disk = NetworkDisk::start()?;
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let device = NetworkDisk::open()?;
    let held = PinnedRange::unpinned(&buffer);
    run.ready(held)?;
    run.wait()?;
    let (address, bytes) = (buffer.address(), buffer.bytes());
    let reader = thread::spawn(move || {
        let pointer: *mut u8 = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: the memory is mapped until this thread has ended. The other accesses are volatile, and meant to race
        // with the read.
        let memory = unsafe { std::slice::from_raw_parts_mut(pointer, bytes) };
        device.read_exact_at(memory, HELD)
    });
    disk.await_read()?;
    let began_ns = report::now_ns();
    let child = IdleChild::fork()?;
    let before = frames(&buffer)?;
    run.step("fork", &[("child_pid", child.pid)], began_ns)?;
    let copied = if during { write(run, &buffer)? } else { Vec::new() };
    disk.answer()?;
    let read = reader.join();
    read.map_err(|_| Failure::failed("the reader has panicked", BUG))?
        .failing("cannot read from the network block device", BUG)?;
    let lost = lost(&buffer);
    run.step("read", &[("pages_lost", lost as u64)], began_ns)?;
    if during {
        let moved = before.moved(&frames(&buffer)?).len();
        if (copied.len(), copied.len()) != (lost, moved) {
            let what = format!("{} pages were copied, and {lost} lack the data", copied.len());
            return Err(Failure::failed(what, BUG));
        }
        let times = copied.len() as u64;
        run.note(
            ExpectedKind::ReadLost,
            ExpectedTrigger::Write,
            times,
            address,
            copied,
        );
    } else {
        write(run, &buffer)?;
    }
    child.finish()?;
    run.changed()?;
    run.released(held, false, report::now_ns())?;
    disk.stop()?;
    run.end()
}

/// Writes to each page, and returns the pages that were copied.
fn write(run: &ScenarioRun, buffer: &Buffer) -> Result<Vec<usize>> {
    let began_ns = report::now_ns();
    let before = frames(buffer)?;
    buffer.write_pages();
    let copied = before.moved(&frames(buffer)?);
    run.step("write", &[("pages_copied", copied.len() as u64)], began_ns)?;
    Ok(copied)
}

/// Returns the number of pages whose last byte did not arrive.
fn lost(buffer: &Buffer) -> usize {
    let ends = (0..buffer.bytes()).step_by(PAGE).map(|page| page + PAGE - 1);
    let arrived = |offset: usize| {
        let byte: *const u8 = std::ptr::with_exposed_provenance(buffer.address() + offset);
        // SAFETY: a byte of mapped memory.
        unsafe { byte.read_volatile() == CONTENT }
    };
    ends.filter(|&offset| !arrived(offset)).count()
}

/// A child that does nothing until its parent ends it. It is forked while the parent has several threads.
struct IdleChild {
    pid: u64,
    stop: std::fs::File,
    process: nix::unistd::Pid,
}

impl IdleChild {
    fn fork() -> Result<Self> {
        let (wait, stop) = pipe2(OFlag::O_CLOEXEC).failing("cannot create a pipe", "raise ulimit -n")?;
        // SAFETY: the child only reads and exits, which is safe in a process that was forked from several threads.
        match unsafe { fork() }.failing("cannot fork", "raise ulimit -u")? {
            ForkResult::Parent { child } => Ok(Self {
                pid: u64::from(child.as_raw().unsigned_abs()),
                stop: stop.into(),
                process: child,
            }),
            ForkResult::Child => {
                drop(stop);
                let _ = std::fs::File::from(wait).read(&mut [0]);
                // SAFETY: the call takes a number.
                unsafe { libc::_exit(0) }
            }
        }
    }

    fn finish(mut self) -> Result<()> {
        self.stop.write_all(&[1]).failing("cannot end a child", BUG)?;
        nix::sys::wait::waitpid(self.process, None)
            .failing("cannot wait for a child", BUG)
            .map(drop)
    }
}
