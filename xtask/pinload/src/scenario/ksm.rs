//! Pinned pages that KSM could merge.

use std::fs;
use std::time::Duration;

use super::pinned::{Pinned, frames};
use super::scenario_run::ScenarioRun;
use crate::choice::Backing;
use crate::failure::{Failure, Result};
use crate::memory::{Buffer, FirstTouch, KernelSetting, MemorySpec, Sharing};
use crate::report;
use crate::wait::wait_for;

const FULL_SCANS: &str = "/sys/kernel/mm/ksm/full_scans";
/// KSM merges a page only if the page is unchanged since an earlier scan, so several scans are needed.
const SCANS: u64 = 5;
const SCAN_LIMIT: Duration = Duration::from_mins(1);

/// Lets KSM scan the pinned pages, then writes to them.
pub(super) fn scan(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    let _settings = [
        KernelSetting::word("/sys/kernel/mm/ksm/pages_to_scan", "1000")?,
        KernelSetting::word("/sys/kernel/mm/ksm/sleep_millisecs", "5")?,
        KernelSetting::word("/sys/kernel/mm/ksm/run", "1")?,
    ];
    // Two unpinned pages with the same contents are merged first. The merge shows that KSM works, and the pinned pages
    // could merge with the two pages.
    let others = Buffer::new(MemorySpec {
        pages: 2,
        backing: Backing::Small,
        sharing: Sharing::Private,
        first_touch: FirstTouch::Write,
    })?;
    others.mergeable()?;
    reach("a merge of two equal pages by KSM", || merged(&others))?;
    let before = frames(pinned.buffer()?)?;
    pinned.buffer()?.mergeable()?;
    let begin = full_scans()?;
    reach("a number of full scans by KSM", || {
        Ok(full_scans()? >= begin + SCANS)
    })?;
    let after = frames(pinned.buffer()?)?;
    let seen = [
        ("full_scans", full_scans()?),
        ("pages_merged", before.changed(&after).len() as u64),
    ];
    run.step("ksm", &seen, began_ns)?;
    pinned.write(run)
}

/// Returns true if both pages have the same frame.
fn merged(buffer: &Buffer) -> Result<bool> {
    let frames = frames(buffer)?;
    let mut numbers = frames.numbers();
    let first = numbers.next().flatten();
    Ok(first.is_some() && numbers.all(|number| number == first))
}

fn full_scans() -> Result<u64> {
    let text = fs::read_to_string(FULL_SCANS).unwrap_or_default();
    text.trim().parse().map_err(|_| {
        Failure::unavailable(
            format!("{FULL_SCANS} contains no number"),
            "use a kernel with CONFIG_KSM",
        )
    })
}

fn reach(state: &str, reached: impl FnMut() -> Result<bool>) -> Result<()> {
    if wait_for(SCAN_LIMIT, Duration::from_millis(10), reached)? {
        return Ok(());
    }
    Err(Failure::failed(
        format!("{state} was not reached within {} s", SCAN_LIMIT.as_secs()),
        "check /sys/kernel/mm/ksm and the load of the machine",
    ))
}
