//! A child pins through its own io_uring and executes a new program, which keeps the ring if its descriptor has no
//! FD_CLOEXEC.

use std::io::Read;
use std::process::Command;
use std::{env, fs};

use super::child_pins::ChildPins;
use super::expected::ExpectedKind;
use super::pinned::Pinned;
use super::scenario_run::ScenarioRun;
use crate::child::{self, ForkedChild};
use crate::choice::PinKind;
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, Sharing};
use crate::report;
use crate::vmstat::PinCounters;
use crate::workload::IoUringBuffers;

/// What /proc/PID/fd shows for the descriptor of a ring.
const RING: &str = "anon_inode:[io_uring]";

/// The ring stays open in the new program.
pub(super) fn keep(run: &mut ScenarioRun) -> Result<()> {
    play(run, true)
}

/// The kernel closes the ring during execve.
pub(super) fn cloexec(run: &mut ScenarioRun) -> Result<()> {
    play(run, false)
}

fn play(run: &mut ScenarioRun, keep: bool) -> Result<()> {
    let mut child = ForkedChild::fork(|parent| {
        let buffer = Buffer::new(run.wanted(Sharing::Private))?;
        let mut pinned = Pinned::on(PinKind::IoUring, IoUringBuffers::new(buffer, 1)?)?;
        if keep {
            pinned.workload().keep_across_exec()?;
        }
        run.ready(pinned.held())?;
        ChildPins::send(pinned.held(), parent)?;
        parent.wait()?;
        let program = env::current_exe().failing(
            "cannot find the program of this process",
            "leave the file of the program in place while pinload runs",
        )?;
        parent.exec(Command::new(program).arg("wait-for-parent"))
    })?;
    let pid = child.pid().as_raw();
    let Some(pins) = ChildPins::receive(&mut child) else {
        return ended(child);
    };
    run.wait()?;
    let vmstat = PinCounters::read()?;
    let began_ns = report::now_ns();
    child.resume()?;
    // The new program sends a byte, after the kernel has closed the descriptors with FD_CLOEXEC.
    if child.messages().read_exact(&mut [0]).is_err() {
        return ended(child);
    }
    let rings = open_rings(pid)?;
    let kept = rings > 0;
    if kept {
        run.note_holding(ExpectedKind::PinKeptAcrossExec, pid, pins.address);
    }
    let seen = [
        ("child_pid", u64::from(pid.unsigned_abs())),
        ("open_rings", rings as u64),
    ];
    run.step("execve", &seen, began_ns)?;
    if !kept {
        released(run, pins, pid, vmstat, began_ns)?;
    }
    run.changed()?;
    let vmstat = PinCounters::read()?;
    let began_ns = report::now_ns();
    child::check(child.finish()?)?;
    if kept {
        released(run, pins, pid, vmstat, began_ns)?;
    }
    run.end()
}

/// Waits until the kernel has released the pins of the closed ring, and prints `released`.
fn released(run: &ScenarioRun, pins: ChildPins, pid: i32, vmstat: PinCounters, began_ns: u64) -> Result<()> {
    let deferred = !pins.await_release(vmstat)?;
    run.released(pins.range(pid, began_ns), deferred, began_ns)
}

/// Returns the number of rings that a process has open.
fn open_rings(pid: i32) -> Result<usize> {
    let folder = format!("/proc/{pid}/fd");
    let descriptors = fs::read_dir(&folder).failing(&format!("cannot read {folder}"), "mount /proc")?;
    let files = descriptors.filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok());
    Ok(files.filter(|file| file.as_os_str() == RING).count())
}

/// Returns the failure of a child that ended too early.
fn ended(child: ForkedChild) -> Result<()> {
    child::check(child.finish()?)?;
    Err(Failure::failed(
        "the child ended without a message",
        "see its message",
    ))
}
