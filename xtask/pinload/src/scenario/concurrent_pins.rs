//! Many threads block inside a pin at the same time, each thread on one missing page. Then each thread pins its page
//! once more.
//!
//! A kretprobe on the pin function has few instances (`maxactive`), and misses the returns of all additional concurrent
//! calls.

use std::io::IoSlice;
use std::os::fd::AsFd;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::uio::{RemoteIoVec, process_vm_writev};
use nix::unistd::getpid;

use super::scenario_run::{PinnedRange, ScenarioRun};
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, FirstTouch, MemorySpec, PAGE, Sharing};
use crate::report;
use crate::run::joined;
use crate::userfault::{FaultMode, UffdFeature, Userfault};

const BUG: &str = "report this as a bug of pinload";
/// A limit on the number of threads.
const MOST: u64 = 512;

/// Runs the scenario with one thread for each page.
pub(super) fn play(run: &mut ScenarioRun) -> Result<()> {
    let threads = run.pages();
    if threads > MOST {
        return Err(Failure::usage(
            format!("concurrent-pins runs {MOST} threads at most, one for each page"),
            "ask for fewer --pages",
        ));
    }
    let buffer = Buffer::new(MemorySpec {
        backing: Backing::Small,
        first_touch: FirstTouch::Nothing,
        ..run.wanted(Sharing::Private)
    })?;
    let fault = Userfault::new(UffdFeature::None)?;
    fault.register(buffer.extent(), FaultMode::Missing)?;
    let held = PinnedRange::unpinned(&buffer);
    run.ready(held)?;
    run.wait()?;
    let began_ns = report::now_ns();
    thread::scope(|scope| {
        let pages = (0..threads).map(|page| buffer.address() + usize::try_from(page).unwrap_or(0) * PAGE);
        let threads: Vec<_> = pages
            .map(|page| scope.spawn(move || write(page).and_then(|()| write(page))))
            .collect();
        let waited = await_faults(&fault, threads.len());
        // The threads block until their pages are mapped, even after an error.
        let filled = fault.fill(buffer.extent());
        let written = threads.into_iter().map(joined).fold(Ok(()), Result::and);
        waited.and(filled).and(written)
    })?;
    run.step("concurrent-pins", &[("pins", 2 * threads)], began_ns)?;
    run.changed()?;
    run.released(held, false, report::now_ns())?;
    run.end()
}

/// Writes to a page of this process by process_vm_writev, which pins the page.
fn write(page: usize) -> Result<()> {
    let remote = [RemoteIoVec { base: page, len: 8 }];
    let written = process_vm_writev(getpid(), &[IoSlice::new(&[1; 8])], &remote);
    match written.failing("cannot write to this process's own memory", BUG)? {
        8 => Ok(()),
        bytes => Err(Failure::failed(
            format!("process_vm_writev wrote {bytes} bytes"),
            BUG,
        )),
    }
}

/// Waits until `threads` threads block on their page.
fn await_faults(fault: &Userfault, threads: usize) -> Result<()> {
    let mut waiting = 0;
    while waiting < threads {
        let mut there = [PollFd::new(fault.as_fd(), PollFlags::POLLIN)];
        let ready =
            poll(&mut there, PollTimeout::from(60_000_u16)).failing("cannot wait for a fault", BUG)?;
        if ready == 0 {
            return Err(Failure::failed(
                format!("only {waiting} of {threads} threads block on their page"),
                BUG,
            ));
        }
        if fault.next_fault()?.is_some() {
            waiting += 1;
        }
    }
    Ok(())
}
