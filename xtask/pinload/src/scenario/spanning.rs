//! One buffer over several mappings: private memory and a memfd by turns, or the same pages of a memfd twice.

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::pinned::Pinned;
use super::scenario_run::ScenarioRun;
use crate::failure::{Failure, Result};
use crate::memory::{Buffer, PAGE, Sharing};
use crate::report;

/// Every second area maps the memfd. All mapped pages of the memfd are punched out.
pub(super) fn punch(run: &mut ScenarioRun, areas: usize) -> Result<()> {
    let (mut buffer, area) = divided(run, areas)?;
    for (nth, second) in (1..areas).step_by(2).enumerate() {
        buffer.map_file_over(second * area, area, nth * area)?;
    }
    let pinned = Pinned::new(run, buffer)?;
    let pages = areas / 2 * area / PAGE;
    punch_and_finish(run, pinned, 0, pages, pages)
}

/// Control: each area maps the first pages of the memfd. The pages behind them, which nobody has pinned, are punched out.
pub(super) fn punch_behind(run: &mut ScenarioRun, areas: usize) -> Result<()> {
    let (mut buffer, area) = divided(run, areas)?;
    for nth in 0..areas {
        buffer.map_file_over(nth * area, area, 0)?;
    }
    let pinned = Pinned::new(run, buffer)?;
    let pages = area / PAGE;
    punch_and_finish(run, pinned, pages, (areas - 1) * pages, 0)
}

/// Maps the buffer. Returns the buffer and the bytes of one area.
fn divided(run: &ScenarioRun, areas: usize) -> Result<(Buffer, usize)> {
    let buffer = Buffer::new(run.wanted(Sharing::Private))?;
    let pages = buffer.bytes() / PAGE;
    if !areas.is_multiple_of(2) || !pages.is_multiple_of(areas) {
        return Err(Failure::usage(
            format!("{pages} pages do not divide into {areas} areas in pairs"),
            "give an even number of --areas, and a multiple of it as --pages",
        ));
    }
    Ok((buffer, pages / areas * PAGE))
}

/// Punches a hole of `pages` pages at page `from` of the memfd, of which the first `pinned_pages` are pinned.
fn punch_and_finish(
    run: &mut ScenarioRun,
    mut pinned: Pinned,
    from: usize,
    pages: usize,
    pinned_pages: usize,
) -> Result<()> {
    let began_ns = report::now_ns();
    pinned.buffer()?.punch_hole(from * PAGE, pages * PAGE)?;
    // Findings on a file have offsets instead of addresses.
    run.note(
        ExpectedKind::MappingTouched,
        ExpectedTrigger::Truncate,
        1,
        0,
        0..pinned_pages,
    );
    run.step("fallocate", &[("file_pages_punched", pages as u64)], began_ns)?;
    run.changed()?;
    pinned.release(run)?;
    run.end()
}
