//! Combines holders (one, several threads, or parent and child) and ends the process as requested.

use std::mem::ManuallyDrop;
use std::process;
use std::sync::mpsc;
use std::thread;

use std::io::Read;

use crate::child::{self, ForkedChild};
use crate::choice::ReleaseMethod;
use crate::failure::{Failure, Result};
use crate::hold::HoldCondition;
use crate::holder::{self, WorkloadHolder};
use crate::memory::KernelSetting;
use crate::pins::PinCounts;
use crate::pipe_lock::PipeLock;
use crate::plan::{PinMethod, WorkloadPlan};
use crate::report::{self, ProcessEndLine};
use crate::shared_ring;
use crate::vmstat::PinCounters;
use crate::workload::{self, Workload};

/// Executes the plan, and restores all settings before the process ends.
pub(crate) fn execute(plan: &WorkloadPlan) -> Result<()> {
    let settings = make_ready(plan)?;
    if plan.common.verify {
        PinCounters::wait_until_stable()?;
    }
    if plan.common.verify && plan.ends_process() {
        return supervised(plan);
    }
    let result = perform(plan);
    drop(settings);
    end(plan, result)
}

fn make_ready(plan: &WorkloadPlan) -> Result<Vec<KernelSetting>> {
    if !plan.common.reserve {
        return Ok(Vec::new());
    }
    let holders = if plan.common.fork_child {
        2
    } else {
        plan.common.threads
    };
    plan.memory()
        .make_ready(usize::try_from(holders).unwrap_or(usize::MAX))
}

fn perform(plan: &WorkloadPlan) -> Result<()> {
    let lock = if plan.common.verify {
        Some(PipeLock::new()?)
    } else {
        None
    };
    let hold = HoldCondition::of(&plan.common);
    match plan.method {
        PinMethod::IoUring {
            shared_ring: true,
            buffers,
            ..
        } => shared_ring::run(plan, buffers, lock.as_ref(), hold),
        _ if plan.common.fork_child || plan.common.shared_memory => with_child(plan, lock.as_ref(), hold),
        _ if plan.common.threads > 1 => threads(plan, lock.as_ref(), hold),
        _ => single(plan, lock.as_ref(), hold),
    }
}

fn single(plan: &WorkloadPlan, lock: Option<&PipeLock>, hold: HoldCondition) -> Result<()> {
    let mut holder = WorkloadHolder::new(plan, lock, workload::prepare(plan, 0)?);
    holder.pin()?;
    hold.wait()?;
    holder.release()?;
    leave(plan, holder)
}

/// Returns the result of a holder. If the exit of the process is to release the pins, the pins stay.
fn leave(plan: &WorkloadPlan, mut holder: WorkloadHolder<'_>) -> Result<()> {
    let result = holder.result();
    if plan.ends_process() {
        std::mem::forget(holder);
    }
    result
}

/// Runs the holders in threads. All memory is prepared before the first thread starts, because preparing may fork.
fn threads(plan: &WorkloadPlan, lock: Option<&PipeLock>, hold: HoldCondition) -> Result<()> {
    let prepared = (0..plan.common.threads).map(|index| workload::prepare(plan, index));
    let workloads: Vec<Box<dyn Workload>> = prepared.collect::<Result<_>>()?;
    let (ready, all_ready) = mpsc::channel();
    thread::scope(|scope| {
        let mut members = Vec::new();
        for workload in workloads {
            let (resume, wait) = mpsc::channel::<()>();
            let ready = ready.clone();
            let member = scope.spawn(move || {
                let mut holder = WorkloadHolder::new(plan, lock, workload);
                let pinned = holder.pin();
                let failed = pinned.is_err();
                // The receiver outlives the threads, and each thread waits until its sender is dropped.
                let _ = ready.send(failed);
                drop(ready);
                pinned?;
                let _ = wait.recv();
                holder.release()?;
                leave(plan, holder)
            });
            members.push((resume, member));
        }
        drop(ready);
        let any_failed = all_ready.iter().fold(false, |any, failed| any | failed);
        let waited = if any_failed { Ok(()) } else { hold.wait() };
        let (senders, members): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        drop(senders);
        members.into_iter().map(joined).fold(waited, Result::and)
    })
}

/// Joins a thread and returns its result.
pub(crate) fn joined(member: thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    let panicked = |_| {
        Err(Failure::failed(
            "a thread panicked",
            "report this as a bug of pinload",
        ))
    };
    member.join().unwrap_or_else(panicked)
}

/// Parent and child hold pins at the same time; the child ends first.
fn with_child(plan: &WorkloadPlan, lock: Option<&PipeLock>, hold: HoldCondition) -> Result<()> {
    let mut own = workload::prepare(plan, 0)?;
    let shared = plan.common.shared_memory;
    let alias = own
        .buffer()
        .filter(|_| shared)
        .map(|buffer| buffer.alias())
        .transpose()?
        // The alias belongs to the child: dropping it in the parent would unmap the parent's own memory.
        .map(ManuallyDrop::new);
    let mut holder = WorkloadHolder::new(plan, lock, own);
    holder.pin()?;
    let mut child = ForkedChild::fork(|parent| {
        let workload = match alias {
            Some(buffer) => workload::prepare_on(plan, ManuallyDrop::into_inner(buffer), 1)?,
            None => workload::prepare(plan, 1)?,
        };
        let mut holder = WorkloadHolder::new(plan, lock, workload);
        holder.pin()?;
        parent.send(&[1])?;
        parent.wait()?;
        holder.release()?;
        end(plan, leave(plan, holder))
    })?;
    let ready = child.messages().read_exact(&mut [0]).is_ok();
    let waited = if ready { hold.wait() } else { Ok(()) };
    let code = child.finish()?;
    waited?;
    holder.release()?;
    let killed = code == 137 && plan.common.release == ReleaseMethod::Kill;
    let result = if killed { Ok(()) } else { child::check(code) };
    result.and(leave(plan, holder))
}

/// Ends the process if its exit is to release the pins.
pub(crate) fn end(plan: &WorkloadPlan, result: Result<()>) -> Result<()> {
    if result.is_err() || !plan.ends_process() {
        return result;
    }
    match plan.common.release {
        ReleaseMethod::Kill => child::kill_self(),
        _ => process::exit(0),
    }
}

/// Runs the plan in a child, whose exit releases the pins, and reads the pin counters after the exit.
fn supervised(plan: &WorkloadPlan) -> Result<()> {
    let begin = PinCounters::read()?;
    let began_ns = report::now_ns();
    let child = ForkedChild::fork(|_| end(plan, perform(plan)))?;
    let pid = child.pid().as_raw();
    let code = child.wait()?;
    if !(code == 137 && plan.common.release == ReleaseMethod::Kill) {
        child::check(code)?;
    }
    let expected = PinCounts {
        held: Some(0),
        ..PinCounts::default()
    };
    let counted = begin.settle(expected)?;
    report::print(&ProcessEndLine {
        event: "released",
        pid,
        kind: plan.kind(),
        backing: plan.common.backing,
        pages: plan.common.pages,
        expected_pins: expected,
        vmstat: counted,
        release: plan.common.release,
        began_ns,
        time_ns: report::now_ns(),
    })?;
    holder::compare(expected, Some(counted))
}
