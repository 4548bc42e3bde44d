//! Scans of the page tables of pinned pages by PAGEMAP_SCAN.

use super::expected::{ExpectedKind, ExpectedTrigger};
use super::pinned::Pinned;
use super::scenario_run::ScenarioRun;
use crate::failure::Result;
use crate::memory::{HUGE, PAGE};
use crate::page_scan::scan;
use crate::report;
use crate::userfault::{FaultMode, UffdFeature, Userfault};

/// The scan write-protects all pages; then writes.
pub(super) fn protect(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let fault = Userfault::new(UffdFeature::WriteProtectAsync)?;
    let extent = pinned.buffer()?.extent();
    fault.register(extent, FaultMode::WriteProtect)?;
    let began_ns = report::now_ns();
    scan(extent, true)?;
    // The kernel walks, and flushes, each page table of 2 MiB by itself.
    let (first, last) = (extent.0 / HUGE, (extent.0 + extent.1 - 1) / HUGE);
    run.note(
        ExpectedKind::MappingTouched,
        ExpectedTrigger::UffdWp,
        (last - first + 1) as u64,
        extent.0,
        0..extent.1 / PAGE,
    );
    run.step("pagemap_scan", &[], began_ns)?;
    pinned.write(run)
}

/// Control: the scan only reads.
pub(super) fn quiet(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    scan(pinned.buffer()?.extent(), false)?;
    run.step("pagemap_scan", &[], began_ns)?;
    pinned.write(run)
}
