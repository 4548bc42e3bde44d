//! A child pins through an io_uring of its parent and exits: its address space goes, its pins stay.

use std::io::{BufRead, BufReader};

use nix::unistd::getpid;

use super::pinned::Pinned;
use super::stage::{Held, Stage};
use super::truth::Kind;
use crate::books::Books;
use crate::choice;
use crate::failure::{Failure, Result};
use crate::family::{self, Child};
use crate::memory::{Buffer, Sharing};
use crate::pins::Pins;
use crate::report;
use crate::workload::IoUringBuffers;

/// What the child tells: address and pins.
type News = (usize, Pins);

/// Plays it.
pub(super) fn exit(stage: &mut Stage) -> Result<()> {
    let owner = getpid().as_raw();
    let mut ring = Some(IoUringBuffers::make_ring()?);
    let mut child = Child::fork(|parent| {
        let ring = ring
            .take()
            .ok_or_else(|| Failure::failed("there is no ring", "report this as a bug"))?;
        let buffer = Buffer::new(stage.wanted(Sharing::Private))?;
        let pinned = Pinned::on(
            choice::Kind::IoUring,
            IoUringBuffers::on_ring(ring, buffer, 1, Some(owner)),
        )?;
        let held = pinned.held();
        // The ring's own mappings were not inherited: they must not be unmapped here.
        std::mem::forget(pinned);
        stage.ready(held)?;
        let news: News = (held.address, held.pins);
        parent.tell(&serde_json::to_vec(&news).unwrap_or_default())?;
        parent.tell(b"\n")?;
        parent.wait()
    })?;
    let pid = child.pid().as_raw();
    let news = read_line(&mut child);
    let waited = if news.is_some() { stage.wait() } else { Ok(()) };
    let began_ns = report::now_ns();
    family::check(child.finish()?)?;
    waited?;
    let (address, pins) =
        news.ok_or_else(|| Failure::failed("the child ended without a word", "see its message"))?;
    stage.note_holding(Kind::PinOutlivesMm, pid, address);
    stage.step("exit", &[("child_pid", u64::from(pid.unsigned_abs()))], began_ns)?;
    stage.touched()?;
    let books = Books::read()?;
    let began_ns = report::now_ns();
    drop(ring);
    // A work queue gives them back: until then, huge pages would be missing from the pool.
    let released = Pins {
        released: pins.held,
        ..Pins::default()
    };
    let deferred = !released.agrees_with(books.settle(released)?);
    let held = Held {
        kind: Some(choice::Kind::IoUring),
        tid: pid,
        address,
        pins,
        began_ns,
    };
    stage.released(held, deferred, began_ns)?;
    stage.end()
}

fn read_line(child: &mut Child) -> Option<News> {
    let mut line = String::new();
    BufReader::new(child.news()).read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}
