//! A child pins through an io_uring of its parent and exits: the child's address space ends, and the pins last.

use std::io::{BufRead, BufReader};

use nix::unistd::getpid;

use super::expected::ExpectedKind;
use super::pinned::Pinned;
use super::scenario_run::{PinnedRange, ScenarioRun};
use crate::child::{self, ForkedChild};
use crate::choice::PinKind;
use crate::failure::{Failure, Result};
use crate::memory::{Buffer, Sharing};
use crate::pins::PinCounts;
use crate::report;
use crate::vmstat::PinCounters;
use crate::workload::IoUringBuffers;

/// The child's message: the address and the pins.
type InheritedRingMessage = (usize, PinCounts);

/// Runs the scenario.
pub(super) fn exit(run: &mut ScenarioRun) -> Result<()> {
    let owner = getpid().as_raw();
    let mut ring = Some(IoUringBuffers::make_ring()?);
    let mut child = ForkedChild::fork(|parent| {
        let ring = ring
            .take()
            .ok_or_else(|| Failure::failed("there is no ring", "report this as a bug"))?;
        let buffer = Buffer::new(run.wanted(Sharing::Private))?;
        let pinned = Pinned::on(
            PinKind::IoUring,
            IoUringBuffers::on_ring(ring, buffer, 1, Some(owner)),
        )?;
        let held = pinned.held();
        // The child did not inherit the mappings of the ring and must not unmap them.
        std::mem::forget(pinned);
        run.ready(held)?;
        let message: InheritedRingMessage = (held.address, held.pins);
        parent.send(&serde_json::to_vec(&message).unwrap_or_default())?;
        parent.send(b"\n")?;
        parent.wait()
    })?;
    let pid = child.pid().as_raw();
    let message = read_line(&mut child);
    let waited = if message.is_some() { run.wait() } else { Ok(()) };
    let began_ns = report::now_ns();
    child::check(child.finish()?)?;
    waited?;
    let (address, pins) =
        message.ok_or_else(|| Failure::failed("the child ended without a message", "see its message"))?;
    run.note_holding(ExpectedKind::PinOutlivesMm, pid, address);
    run.step("exit", &[("child_pid", u64::from(pid.unsigned_abs()))], began_ns)?;
    run.changed()?;
    let vmstat = PinCounters::read()?;
    let began_ns = report::now_ns();
    drop(ring);
    // A work queue releases the pins. Until the release, the huge pages are missing from the pool.
    let released = PinCounts {
        released: pins.held,
        ..PinCounts::default()
    };
    let deferred = !released.agrees_with(vmstat.settle(released)?);
    let held = PinnedRange {
        kind: Some(PinKind::IoUring),
        tid: pid,
        address,
        pins,
        began_ns,
    };
    run.released(held, deferred, began_ns)?;
    run.end()
}

fn read_line(child: &mut ForkedChild) -> Option<InheritedRingMessage> {
    let mut line = String::new();
    BufReader::new(child.messages()).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}
