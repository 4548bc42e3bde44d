//! fork(2) with pinned pages, followed by writes of the parent or the child.

use std::io::{BufRead, BufReader};

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::pinned::{Pinned, frames};
use super::scenario_run::ScenarioRun;
use crate::child::{self, ForkedChild};
use crate::failure::{Explain, Failure, Result};
use crate::report;

/// The parent writes while the child is alive.
pub(super) fn parent_writes(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let child = fork(run, pinned, false)?;
    pinned.write(run)?;
    child::check(child.finish()?)
}

/// The child writes.
pub(super) fn child_writes(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let child = fork(run, pinned, true)?;
    child::check(child.finish()?)
}

/// Forks a child. Before any write, the child compares its frames with the frames of its parent; then the child waits.
fn fork(run: &mut ScenarioRun, pinned: &mut Pinned, writes: bool) -> Result<ForkedChild> {
    let before = frames(pinned.buffer()?)?;
    let began_ns = report::now_ns();
    let mut child = ForkedChild::fork(|parent| {
        let buffer = pinned.buffer()?;
        let own = frames(buffer)?;
        let mut message =
            serde_json::to_vec(&before.moved(&own)).failing("cannot write JSON", "report this as a bug")?;
        message.push(b'\n');
        parent.send(&message)?;
        parent.wait()?;
        if writes {
            let began_ns = report::now_ns();
            buffer.write_pages();
            let copied = own.moved(&frames(buffer)?).len() as u64;
            run.step("write", &[("pages_copied", copied)], began_ns)?;
        }
        Ok(())
    })?;
    let mut line = String::new();
    let received = BufReader::new(child.messages()).read_line(&mut line);
    let copied: Option<Vec<usize>> = received.ok().and_then(|_| serde_json::from_str(&line).ok());
    let Some(copied) = copied else {
        child::check(child.finish()?)?;
        return Err(Failure::failed(
            "the child ended without a message",
            "see its message",
        ));
    };
    let seen = [
        ("child_pid", u64::from(child.pid().as_raw().unsigned_abs())),
        ("pages_copied", copied.len() as u64),
    ];
    run.note(
        ExpectedKind::ForkCopiedPinned,
        ExpectedTrigger::Fork,
        1,
        pinned.held().address,
        copied,
    );
    run.step("fork", &seen, began_ns)?;
    Ok(child)
}
