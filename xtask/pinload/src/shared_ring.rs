//! A ring that the parent creates and through which a child registers memory: the pinning process is not the creator of
//! the ring, and the pins outlive the child.

use std::io::{BufRead, BufReader};
use std::os::fd::RawFd;

use nix::unistd::{close, getpid};

use crate::child::{self, ForkedChild};
use crate::choice::ReleaseMethod;
use crate::failure::{Explain, Failure, Result};
use crate::hold::HoldCondition;
use crate::holder::{WorkloadHolder, compare};
use crate::memory::Buffer;
use crate::pins::PinCounts;
use crate::plan::WorkloadPlan;
use crate::report::{self, HolderLine};
use crate::vmstat::PinCounters;

use crate::pipe_lock::PipeLock;
use crate::workload::IoUringBuffers;

/// The child's message to its parent: the address and the pins.
type SharedRingMessage = (String, PinCounts);

/// Creates the ring in the parent and registers memory in the child. Then the child releases the pins, or exits without
/// a release. If the child exits without a release, the parent waits for the hold condition twice: before the child
/// exits, and before the parent closes the ring.
pub(crate) fn run(
    plan: &WorkloadPlan,
    buffers: u64,
    lock: Option<&PipeLock>,
    hold: HoldCondition,
) -> Result<()> {
    let owner = getpid().as_raw();
    let mut ring = Some(IoUringBuffers::make_ring()?);
    let begin = lock.map(|_| PinCounters::read()).transpose()?;
    let mut child = ForkedChild::fork(|parent| {
        let ring = ring
            .take()
            .ok_or_else(|| Failure::failed("there is no ring", "report this as a bug"))?;
        let workload = IoUringBuffers::on_ring(ring, Buffer::new(plan.memory())?, buffers, Some(owner));
        let descriptor = workload.descriptor();
        let mut holder = WorkloadHolder::new(plan, lock, Box::new(workload));
        holder.pin()?;
        let message: SharedRingMessage = (holder.line("ready", 0).address, holder.expected());
        let mut text =
            serde_json::to_string(&message).failing("cannot write JSON", "report this as a bug")?;
        text.push('\n');
        parent.send(text.as_bytes())?;
        parent.wait()?;
        let result = leave(plan, &mut holder, descriptor);
        // The child did not inherit the mappings of the ring and must not unmap them.
        std::mem::forget(holder);
        match (plan.common.release, &result) {
            (ReleaseMethod::Kill, Ok(())) => child::kill_self(),
            _ => result,
        }
    })?;
    let pid = child.pid().as_raw();
    let mut line = String::new();
    let received = BufReader::new(child.messages()).read_line(&mut line);
    let message: Option<SharedRingMessage> = received.ok().and_then(|_| serde_json::from_str(&line).ok());
    let waited = if message.is_some() { hold.wait() } else { Ok(()) };
    let code = child.finish()?;
    let killed = code == 137 && plan.common.release == ReleaseMethod::Kill;
    if !killed {
        child::check(code)?;
    }
    waited?;
    let (address, expected) = message.ok_or_else(|| {
        Failure::failed(
            "the child ended without a message",
            "see its message on standard error",
        )
    })?;
    if plan.common.release == ReleaseMethod::Explicit {
        return Ok(());
    }
    let reporter = ChildReporter {
        plan,
        pid,
        owner,
        address,
        begin,
    };
    let first = reporter.print("outlived", expected, false);
    hold.wait()?;
    drop(ring);
    first.and(reporter.print("released", expected.after_release(), true))
}

/// Releases the pins as requested, or closes only the child's descriptor of the ring.
fn leave(plan: &WorkloadPlan, holder: &mut WorkloadHolder<'_>, descriptor: Option<RawFd>) -> Result<()> {
    if plan.common.release == ReleaseMethod::Close {
        let line = HolderLine {
            release: Some(ReleaseMethod::Close),
            ..holder.line("releasing", report::now_ns())
        };
        if let Some(descriptor) = descriptor {
            close(descriptor).failing("cannot close the ring", "report this as a bug")?;
        }
        report::print(&line)?;
    } else {
        holder.release()?;
    }
    holder.result()
}

/// Prints lines on behalf of a child that has exited.
struct ChildReporter<'a> {
    plan: &'a WorkloadPlan,
    pid: i32,
    owner: i32,
    address: String,
    begin: Option<PinCounters>,
}

impl ChildReporter<'_> {
    fn print(&self, event: &'static str, expected: PinCounts, deferred: bool) -> Result<()> {
        let began_ns = report::now_ns();
        let vmstat = self.begin.map(|begin| begin.settle(expected)).transpose()?;
        report::print(&HolderLine {
            event,
            pid: self.pid,
            tid: self.pid,
            kind: self.plan.kind(),
            backing: self.plan.common.backing,
            address: self.address.clone(),
            pages: self.plan.common.pages,
            expected_pins: expected,
            vmstat,
            descriptor: None,
            target_pid: None,
            ring_owner_pid: Some(self.owner),
            release: Some(self.plan.common.release),
            deferred,
            change: None,
            began_ns,
            time_ns: report::now_ns(),
        })?;
        compare(expected, vmstat)
    }
}
