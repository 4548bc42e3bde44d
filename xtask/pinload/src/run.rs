//! Puts holders together: one, several threads, parent and child; and ends the process as asked.

use std::mem::ManuallyDrop;
use std::process;
use std::sync::mpsc;
use std::thread;

use std::io::Read;

use crate::books::Books;
use crate::choice::Release;
use crate::failure::{Failure, Result};
use crate::family::{self, Child};
use crate::gate::Gate;
use crate::holder::{self, Holder};
use crate::memory::Setting;
use crate::pins::Pins;
use crate::plan::{Method, Plan};
use crate::report::{self, EndLine};
use crate::shared_ring;
use crate::turn::Turn;
use crate::workload::{self, Workload};

/// Carries out the plan, and undoes what it changed on the machine before the process ends in any way.
pub(crate) fn execute(plan: &Plan) -> Result<()> {
    let settings = make_ready(plan)?;
    if plan.common.verify {
        Books::quiet()?;
    }
    if plan.common.verify && plan.ends_process() {
        return supervised(plan);
    }
    let verdict = perform(plan);
    drop(settings);
    end(plan, verdict)
}

fn make_ready(plan: &Plan) -> Result<Vec<Setting>> {
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

fn perform(plan: &Plan) -> Result<()> {
    let turn = if plan.common.verify {
        Some(Turn::new()?)
    } else {
        None
    };
    let gate = Gate::of(&plan.common);
    match plan.method {
        Method::IoUring {
            shared_ring: true,
            buffers,
        } => shared_ring::run(plan, buffers, turn.as_ref(), gate),
        _ if plan.common.fork_child || plan.common.shared_memory => with_child(plan, turn.as_ref(), gate),
        _ if plan.common.threads > 1 => threads(plan, turn.as_ref(), gate),
        _ => single(plan, turn.as_ref(), gate),
    }
}

fn single(plan: &Plan, turn: Option<&Turn>, gate: Gate) -> Result<()> {
    let mut holder = Holder::new(plan, turn, workload::prepare(plan, 0)?);
    holder.pin()?;
    gate.wait()?;
    holder.release()?;
    leave(plan, holder)
}

/// What became of a holder, whose pins stay if the process's end is to release them.
fn leave(plan: &Plan, mut holder: Holder<'_>) -> Result<()> {
    let verdict = holder.verdict();
    if plan.ends_process() {
        std::mem::forget(holder);
    }
    verdict
}

/// All memory is prepared before the first thread, because preparing may fork.
fn threads(plan: &Plan, turn: Option<&Turn>, gate: Gate) -> Result<()> {
    let prepared = (0..plan.common.threads).map(|index| workload::prepare(plan, index));
    let workloads: Vec<Box<dyn Workload>> = prepared.collect::<Result<_>>()?;
    let (ready, all_ready) = mpsc::channel();
    thread::scope(|scope| {
        let mut members = Vec::new();
        for workload in workloads {
            let (go, wait) = mpsc::channel::<()>();
            let ready = ready.clone();
            let member = scope.spawn(move || {
                let mut holder = Holder::new(plan, turn, workload);
                let pinned = holder.pin();
                let failed = pinned.is_err();
                // The receiver outlives the threads; the sender's end is what says go.
                let _ = ready.send(failed);
                drop(ready);
                pinned?;
                let _ = wait.recv();
                holder.release()?;
                leave(plan, holder)
            });
            members.push((go, member));
        }
        drop(ready);
        let any_failed = all_ready.iter().fold(false, |any, failed| any | failed);
        let waited = if any_failed { Ok(()) } else { gate.wait() };
        let (gates, members): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        drop(gates);
        members.into_iter().map(joined).fold(waited, Result::and)
    })
}

/// What a thread of ours came to.
pub(crate) fn joined(member: thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    let panicked = |_| {
        Err(Failure::failed(
            "a thread panicked",
            "report this as a bug of pinload",
        ))
    };
    member.join().unwrap_or_else(panicked)
}

/// Parent and child hold at once; the child ends first.
fn with_child(plan: &Plan, turn: Option<&Turn>, gate: Gate) -> Result<()> {
    let mut own = workload::prepare(plan, 0)?;
    let shared = plan.common.shared_memory;
    let alias = own
        .buffer()
        .filter(|_| shared)
        .map(|buffer| buffer.alias())
        .transpose()?
        // It is the child's: in the parent its drop would unmap the parent's own memory.
        .map(ManuallyDrop::new);
    let mut holder = Holder::new(plan, turn, own);
    holder.pin()?;
    let mut child = Child::fork(|parent| {
        let workload = match alias {
            Some(buffer) => workload::prepare_on(plan, ManuallyDrop::into_inner(buffer), 1)?,
            None => workload::prepare(plan, 1)?,
        };
        let mut holder = Holder::new(plan, turn, workload);
        holder.pin()?;
        parent.tell(&[1])?;
        parent.wait()?;
        holder.release()?;
        end(plan, leave(plan, holder))
    })?;
    let ready = child.news().read_exact(&mut [0]).is_ok();
    let waited = if ready { gate.wait() } else { Ok(()) };
    let code = child.finish()?;
    waited?;
    holder.release()?;
    let killed = code == 137 && plan.common.release == Release::Kill;
    let verdict = if killed { Ok(()) } else { family::check(code) };
    verdict.and(leave(plan, holder))
}

/// Ends the process where that is how the pins are to end.
pub(crate) fn end(plan: &Plan, verdict: Result<()>) -> Result<()> {
    if verdict.is_err() || !plan.ends_process() {
        return verdict;
    }
    match plan.common.release {
        Release::Kill => family::kill_self(),
        _ => process::exit(0),
    }
}

/// Runs the plan in a child, whose death releases the pins, and reads the books after it.
fn supervised(plan: &Plan) -> Result<()> {
    let begin = Books::read()?;
    let began_ns = report::now_ns();
    let child = Child::fork(|_| end(plan, perform(plan)))?;
    let pid = child.pid().as_raw();
    let code = child.wait()?;
    if !(code == 137 && plan.common.release == Release::Kill) {
        family::check(code)?;
    }
    let expected = Pins {
        held: Some(0),
        ..Pins::default()
    };
    let counted = begin.settle(expected)?;
    report::print(&EndLine {
        event: "released",
        pid,
        kind: plan.kind(),
        backing: plan.common.backing,
        pages: plan.common.pages,
        expected_pins: expected,
        books: counted,
        release: plan.common.release,
        began_ns,
        time_ns: report::now_ns(),
    })?;
    holder::compare(expected, Some(counted))
}
