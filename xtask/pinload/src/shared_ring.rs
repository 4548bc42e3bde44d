//! A ring that the parent makes and through which its child registers memory: who pins is not who made the
//! ring, and the pins stay when the child is gone.

use std::io::{BufRead, BufReader};
use std::os::fd::RawFd;

use nix::unistd::{close, getpid};

use crate::books::Books;
use crate::choice::Release;
use crate::failure::{Explain, Failure, Result};
use crate::family::{self, Child};
use crate::gate::Gate;
use crate::holder::{Holder, compare};
use crate::memory::Buffer;
use crate::pins::Pins;
use crate::plan::Plan;
use crate::report::{self, Line};

use crate::turn::Turn;
use crate::workload::IoUringBuffers;

/// What the child tells its parent.
type News = (String, Pins);

/// Parent makes the ring, child registers; then the child releases, or ends and leaves the pins to the ring.
/// In the latter case the gate is waited at twice: once before the child's end, once before the ring's.
pub(crate) fn run(plan: &Plan, buffers: u64, turn: Option<&Turn>, gate: Gate) -> Result<()> {
    let owner = getpid().as_raw();
    let mut ring = Some(IoUringBuffers::make_ring()?);
    let begin = turn.map(|_| Books::read()).transpose()?;
    let mut child = Child::fork(|parent| {
        let ring = ring
            .take()
            .ok_or_else(|| Failure::failed("there is no ring", "report this as a bug"))?;
        let workload = IoUringBuffers::on_ring(ring, Buffer::new(plan.memory())?, buffers, Some(owner));
        let descriptor = workload.descriptor();
        let mut holder = Holder::new(plan, turn, Box::new(workload));
        holder.pin()?;
        let news: News = (holder.line("ready", 0).address, holder.expected());
        let mut text = serde_json::to_string(&news).failing("cannot write JSON", "report this as a bug")?;
        text.push('\n');
        parent.tell(text.as_bytes())?;
        parent.wait()?;
        let verdict = leave(plan, &mut holder, descriptor);
        // The ring's own mappings were not inherited: they must not be unmapped here.
        std::mem::forget(holder);
        match (plan.common.release, &verdict) {
            (Release::Kill, Ok(())) => family::kill_self(),
            _ => verdict,
        }
    })?;
    let pid = child.pid().as_raw();
    let mut line = String::new();
    let told = BufReader::new(child.news()).read_line(&mut line);
    let news: Option<News> = told.ok().and_then(|_| serde_json::from_str(&line).ok());
    let waited = if news.is_some() { gate.wait() } else { Ok(()) };
    let code = child.finish()?;
    let killed = code == 137 && plan.common.release == Release::Kill;
    if !killed {
        family::check(code)?;
    }
    waited?;
    let (address, expected) = news.ok_or_else(|| {
        Failure::failed(
            "the child ended without a word",
            "see its message on standard error",
        )
    })?;
    if plan.common.release == Release::Explicit {
        return Ok(());
    }
    let speaker = Speaker {
        plan,
        pid,
        owner,
        address,
        begin,
    };
    let first = speaker.say("outlived", expected, false);
    gate.wait()?;
    drop(ring);
    first.and(speaker.say("released", expected.after_release(), true))
}

/// The child's end of the matter.
fn leave(plan: &Plan, holder: &mut Holder<'_>, descriptor: Option<RawFd>) -> Result<()> {
    if plan.common.release == Release::Close {
        let line = Line {
            release: Some(Release::Close),
            ..holder.line("releasing", report::now_ns())
        };
        if let Some(descriptor) = descriptor {
            close(descriptor).failing("cannot close the ring", "report this as a bug")?;
        }
        report::print(&line)?;
    } else {
        holder.release()?;
    }
    holder.verdict()
}

/// Reports in the name of a child that is gone.
struct Speaker<'a> {
    plan: &'a Plan,
    pid: i32,
    owner: i32,
    address: String,
    begin: Option<Books>,
}

impl Speaker<'_> {
    fn say(&self, event: &'static str, expected: Pins, deferred: bool) -> Result<()> {
        let began_ns = report::now_ns();
        let books = self.begin.map(|begin| begin.settle(expected)).transpose()?;
        report::print(&Line {
            event,
            pid: self.pid,
            tid: self.pid,
            kind: self.plan.kind(),
            backing: self.plan.common.backing,
            address: self.address.clone(),
            pages: self.plan.common.pages,
            expected_pins: expected,
            books,
            target_pid: None,
            ring_owner_pid: Some(self.owner),
            release: Some(self.plan.common.release),
            deferred,
            touch: None,
            began_ns,
            time_ns: report::now_ns(),
        })?;
        compare(expected, books)
    }
}
