//! Changes of the size of a file whose pages are pinned.

use std::iter::once;
use std::ops::Range;

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::pinned::Pinned;
use super::scenario_run::ScenarioRun;
use crate::failure::Result;
use crate::memory::{Buffer, PAGE, Sharing};
use crate::report;

/// Truncates the file to half, and punches a hole into its second quarter.
pub(super) fn truncate(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let pages = pinned.all().end;
    let (quarter, half) = (pages / 4, pages / 2);
    let buffer = pinned.buffer()?;
    let end = buffer.extent().1 / PAGE;
    let began_ns = report::now_ns();
    buffer.truncate(half * PAGE)?;
    cuts(run, half..pages);
    run.step("ftruncate", &[("file_pages_cut", (end - half) as u64)], began_ns)?;
    let began_ns = report::now_ns();
    pinned
        .buffer()?
        .punch_hole(quarter * PAGE, (half - quarter) * PAGE)?;
    cuts(run, quarter..half);
    run.step("fallocate", &[], began_ns)
}

/// Pins the second half, and truncates the file to three quarters.
pub(super) fn part(run: &mut ScenarioRun) -> Result<()> {
    let (mut pinned, pages) = second_half(run)?;
    let cut = pages / 4 * 3..pages;
    let began_ns = report::now_ns();
    pinned.buffer()?.truncate(cut.start * PAGE)?;
    cuts(run, cut);
    run.step("ftruncate", &[], began_ns)?;
    finish(run, pinned)
}

/// Control: pins the second half, and punches a hole into the second quarter.
pub(super) fn quiet(run: &ScenarioRun) -> Result<()> {
    let (mut pinned, pages) = second_half(run)?;
    let began_ns = report::now_ns();
    pinned.buffer()?.punch_hole(pages / 4 * PAGE, pages / 4 * PAGE)?;
    run.step("fallocate", &[], began_ns)?;
    finish(run, pinned)
}

/// Pins the second half of a file. Returns the number of pages of the file too.
fn second_half(run: &ScenarioRun) -> Result<(Pinned, usize)> {
    let buffer = Buffer::new(run.wanted(Sharing::Memfd))?;
    let pages = buffer.bytes() / PAGE;
    let pinned = Pinned::parts(run, buffer, once(pages / 2..pages))?;
    Ok((pinned, pages))
}

/// Notes a change of these pages of the file. Findings on a file have offsets instead of addresses.
fn cuts(run: &mut ScenarioRun, pages: Range<usize>) {
    run.note(
        ExpectedKind::MappingTouched,
        ExpectedTrigger::Truncate,
        1,
        0,
        pages,
    );
}

fn finish(run: &ScenarioRun, mut pinned: Pinned) -> Result<()> {
    run.changed()?;
    pinned.release(run)?;
    run.end()
}
