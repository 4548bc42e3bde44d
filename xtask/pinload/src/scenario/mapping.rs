//! Changes that one thread makes to the mapping of its pinned pages.

use std::fs;

use super::expected::ExpectedTrigger;
use super::pinned::{Pinned, frames};
use super::scenario_run::ScenarioRun;
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, HUGE, PAGE};
use crate::report;

/// Notes a system call that affected the whole range.
fn whole(
    run: &mut ScenarioRun,
    pinned: &Pinned,
    trigger: ExpectedTrigger,
    step: &str,
    began_ns: u64,
) -> Result<()> {
    pinned.changed_by(run, trigger, pinned.all());
    run.step(step, &[], began_ns)
}

/// mprotect to read-only and back, then writes.
pub(super) fn protect_write(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    pinned.buffer()?.protect(false)?;
    whole(run, pinned, ExpectedTrigger::Mprotect, "mprotect", began_ns)?;
    pinned.buffer()?.protect(true)?;
    pinned.write(run)
}

/// munmap, then a new mapping at the same address.
pub(super) fn unmap_remap(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    pinned.buffer()?.remap_in_place()?;
    whole(run, pinned, ExpectedTrigger::Munmap, "munmap", began_ns)
}

/// MADV_DONTNEED, then writes.
pub(super) fn dontneed(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    pinned.buffer()?.discard_and_write()?;
    whole(run, pinned, ExpectedTrigger::Dontneed, "dontneed", began_ns)
}

/// MADV_DONTNEED by process_madvise, then writes.
pub(super) fn process_dontneed(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    pinned.buffer()?.discard_and_write_by_process()?;
    whole(
        run,
        pinned,
        ExpectedTrigger::Dontneed,
        "process_madvise",
        began_ns,
    )
}

/// MADV_FREE, then writes.
pub(super) fn free(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    pinned.buffer()?.madvise_free()?;
    whole(run, pinned, ExpectedTrigger::Free, "free", began_ns)?;
    pinned.write(run)
}

/// mremap to another address.
pub(super) fn mremap(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    let to = pinned.buffer()?.relocate()?;
    pinned.changed_by(run, ExpectedTrigger::Mremap, pinned.all());
    run.step("mremap", &[("new_address", to as u64)], began_ns)
}

/// mremap to another address with MREMAP_DONTUNMAP: the old mapping stays, without pages.
pub(super) fn mremap_keep(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    let to = pinned.buffer()?.move_pages_out()?;
    pinned.changed_by(run, ExpectedTrigger::Mremap, pinned.all());
    run.step("mremap", &[("new_address", to as u64)], began_ns)
}

/// Maps other memory over the second half; with hugetlb, over whole huge pages.
pub(super) fn map_over(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    let from = second_half(pinned.buffer()?);
    pinned.buffer()?.map_over(from * PAGE)?;
    pinned.changed_by(run, ExpectedTrigger::MmapOver, from..pinned.all().end);
    run.step("mmap", &[], began_ns)
}

/// Returns the first page of the second half; with hugetlb, of whole huge pages.
pub(super) fn second_half(buffer: &Buffer) -> usize {
    let step = piece(buffer.wanted().backing);
    buffer.bytes() / PAGE / 2 / step * step
}

/// Returns the number of pages that can only be unmapped together.
const fn piece(backing: Backing) -> usize {
    match backing {
        Backing::Hugetlb => HUGE / PAGE,
        Backing::Small | Backing::Thp => 1,
    }
}

/// Clears the soft-dirty bits, which write-protects the pages.
pub(super) fn soft_dirty(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    const CLEAR_REFS: &str = "/proc/self/clear_refs";
    const REMEDY: &str = "use a kernel with CONFIG_MEM_SOFT_DIRTY";
    // The pages have just been written: if the kernel tracks soft-dirty pages, all bits are set.
    let dirty = frames(pinned.buffer()?)?.dirty();
    if dirty < pinned.all().len() {
        return Err(Failure::unavailable(
            format!("{dirty} of {} written pages are soft-dirty", pinned.all().len()),
            REMEDY,
        ));
    }
    let began_ns = report::now_ns();
    fs::write(CLEAR_REFS, "4").unavailable(&format!("cannot write {CLEAR_REFS}"), REMEDY)?;
    pinned.changed_by(run, ExpectedTrigger::SoftDirty, pinned.all());
    let cleared = dirty - frames(pinned.buffer()?)?.dirty();
    run.step("clear_refs", &[("pages_cleared", cleared as u64)], began_ns)?;
    pinned.write(run)
}

/// Maps the first half of the file over the second half of the range.
pub(super) fn remap_file_pages(run: &mut ScenarioRun, pinned: &mut Pinned) -> Result<()> {
    let began_ns = report::now_ns();
    let half = second_half(pinned.buffer()?)..pinned.all().end;
    pinned.buffer()?.remap_file_pages(half.clone())?;
    pinned.changed_by(run, ExpectedTrigger::MmapOver, half);
    run.step("remap_file_pages", &[], began_ns)
}

/// Fails unless the memory divides into `parts` parts of whole pages.
pub(super) fn check_parts(parts: u64, pages: u64, backing: Backing) -> Result<()> {
    let step = parts * piece(backing) as u64;
    if pages.is_multiple_of(step) {
        return Ok(());
    }
    Err(Failure::usage(
        format!("{pages} pages do not divide into {parts} parts of whole pages"),
        format!("choose --pages as a multiple of {step}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_cut_at_whole_pages() {
        assert!(check_parts(4, 64, Backing::Small).is_ok());
        assert!(check_parts(2, 66, Backing::Small).is_ok());
        assert_eq!(check_parts(4, 66, Backing::Thp).unwrap_err().code, 2);
        assert_eq!(check_parts(4, 512, Backing::Hugetlb).unwrap_err().code, 2);
        assert!(check_parts(4, 2048, Backing::Hugetlb).is_ok());
    }
}
