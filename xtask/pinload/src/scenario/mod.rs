//! Scenarios: changes to pinned or neighbouring memory, and the findings that a tracer must report.
//!
//! Each scenario prints `ready`, waits, changes the memory (`step`), prints `changed`, waits again, releases
//! the pins (`released`), and prints the findings to expect (`expected`, `done`).

mod adjoining;
mod arguments;
mod blocked_read;
mod child_pins;
mod close;
mod compat_call;
mod concurrent_pins;
mod discard;
mod exec;
mod expected;
mod flood;
mod fork;
mod inherited_ring;
mod ksm;
mod mapping;
mod memory_arguments;
mod other_owners;
mod page_scan;
mod partial_release;
mod pinned;
mod quiet;
mod read_fork;
mod reference;
mod scenario_run;
mod shared_folio;
mod short_term;
mod spanning;
mod truncate;
mod uffd;
mod uffd_writers;
mod writer;

pub(crate) use self::arguments::Scenario;
pub(crate) use self::memory_arguments::HoldArgs;

use self::pinned::Pinned;
use self::scenario_run::ScenarioRun;
use crate::failure::Result;
use crate::memory::{Buffer, Sharing};

/// Runs the scenario, and restores the changed settings of the machine.
pub(crate) fn run(scenario: &Scenario) -> Result<()> {
    let run = &mut ScenarioRun::new(scenario);
    let _settings = if scenario.memory().reserve {
        run.wanted(sharing(scenario)).make_ready(buffers(scenario))?
    } else {
        Vec::new()
    };
    match scenario {
        Scenario::ForkWriteParent(_) => pinned(run, fork::parent_writes),
        Scenario::ForkWriteChild(_) => pinned(run, fork::child_writes),
        Scenario::ProtectWrite(_) => pinned(run, mapping::protect_write),
        Scenario::UnmapRemap(_) => pinned(run, mapping::unmap_remap),
        Scenario::Dontneed(_) => pinned(run, mapping::dontneed),
        Scenario::ProcessDontneed(_) => pinned(run, mapping::process_dontneed),
        Scenario::Free(_) => pinned(run, mapping::free),
        Scenario::Mremap(_) => pinned(run, mapping::mremap),
        Scenario::MremapKeep(_) => pinned(run, mapping::mremap_keep),
        Scenario::MapOver(_) => pinned(run, mapping::map_over),
        Scenario::UffdWpWriters(writing) => pinned(run, |run, pinned| uffd::writers(run, pinned, writing)),
        Scenario::UffdWpStorm(storm) => uffd::storm(run, storm),
        Scenario::SoftDirty(_) => pinned(run, mapping::soft_dirty),
        Scenario::ReadPinWrite(writing) => short_term::read_pin_write(run, writing.writer, writing.others),
        Scenario::QuietReadPinWrite(writing) => short_term::quiet_write(run, writing.writer, writing.others),
        Scenario::Ksm(_) => pinned(run, ksm::scan),
        Scenario::Truncate(memory) => {
            mapping::check_parts(4, memory.pages, memory.backing)?;
            pinned_on(run, Sharing::Memfd, truncate::truncate)
        }
        Scenario::TruncatePart(memory) => {
            mapping::check_parts(4, memory.pages, memory.backing)?;
            truncate::part(run)
        }
        Scenario::QuietTruncate(memory) => {
            mapping::check_parts(4, memory.pages, memory.backing)?;
            truncate::quiet(run)
        }
        Scenario::RemapFilePages(_) => pinned_on(run, Sharing::Memfd, mapping::remap_file_pages),
        Scenario::GuardInstall(_) => discard::guards(run),
        Scenario::QuietGuardInstall(_) => discard::quiet_guards(run),
        Scenario::ScanProtect(_) => pinned(run, page_scan::protect),
        Scenario::QuietScan(_) => pinned(run, page_scan::quiet),
        Scenario::ReadForkWrite(_) => read_fork::write_during(run),
        Scenario::QuietReadForkWrite(_) => read_fork::write_after(run),
        Scenario::Flood(_) => flood::with_victim(run),
        Scenario::QuietFlood(_) => flood::alone(run),
        Scenario::DontneedFailed(_) => discard::failed(run),
        Scenario::DontneedRefused(_) => discard::refused(run),
        Scenario::DontneedPartOfHugetlb(_) => discard::part_of_hugetlb(run),
        Scenario::CloseUnmap(_) => close::close_unmap(run),
        Scenario::UnmapClose(_) => close::unmap_close(run),
        Scenario::AdjoiningKept(memory) => {
            mapping::check_parts(2, memory.pages, memory.backing)?;
            adjoining::kept(run)
        }
        Scenario::AdjoiningCalls(memory) => {
            mapping::check_parts(2, memory.pages, memory.backing)?;
            adjoining::calls(run)
        }
        Scenario::SpanningPunch(spanning) => spanning::punch(run, spanning.areas),
        Scenario::QuietSpanningPunch(spanning) => spanning::punch_behind(run, spanning.areas),
        Scenario::CompatCallUnmap(_) => compat_call::unmap(run),
        Scenario::ForeignPin(_) => shared_folio::foreign_pin(run),
        Scenario::ManyBuffers(_) => shared_folio::many_buffers(run),
        Scenario::ExitInheritedRing(_) => inherited_ring::exit(run),
        Scenario::ExecKeep(_) => exec::keep(run),
        Scenario::ExecCloexec(_) => exec::cloexec(run),
        Scenario::MissingLongterm(_) => short_term::missing_longterm(run),
        Scenario::ShortTermUnmap(_) => short_term::unmap(run),
        Scenario::ReferenceForkWrite(_) => reference::fork_write(run),
        Scenario::ConcurrentPins(_) => concurrent_pins::play(run),
        Scenario::QuietFork(_) => quiet::fork(run),
        Scenario::QuietUnmap(_) => quiet::unmap(run),
        Scenario::QuietProtect(_) => quiet::protect(run),
        Scenario::QuietRelease(_) => quiet::release(run),
        Scenario::QuietPartialRelease(memory) => {
            mapping::check_parts(2, memory.pages, memory.backing)?;
            partial_release::release(run)
        }
        Scenario::QuietReference(_) => reference::quiet(run),
        Scenario::QuietForeignPin(_) => shared_folio::quiet_foreign_pin(run),
        Scenario::QuietManyBuffers(_) => shared_folio::quiet_many_buffers(run),
    }
}

/// Pins private memory, runs `work`, and releases.
fn pinned(
    run: &mut ScenarioRun,
    work: impl FnOnce(&mut ScenarioRun, &mut Pinned) -> Result<()>,
) -> Result<()> {
    pinned_on(run, Sharing::Private, work)
}

fn pinned_on(
    run: &mut ScenarioRun,
    sharing: Sharing,
    work: impl FnOnce(&mut ScenarioRun, &mut Pinned) -> Result<()>,
) -> Result<()> {
    let buffer = Buffer::new(run.wanted(sharing))?;
    let mut pinned = Pinned::new(run, buffer)?;
    work(run, &mut pinned)?;
    run.changed()?;
    pinned.release(run)?;
    run.end()
}

const fn sharing(scenario: &Scenario) -> Sharing {
    match scenario {
        Scenario::Truncate(_)
        | Scenario::TruncatePart(_)
        | Scenario::QuietTruncate(_)
        | Scenario::RemapFilePages(_) => Sharing::Memfd,
        Scenario::ReadPinWrite(_) | Scenario::QuietReadPinWrite(_) => Sharing::Copied,
        _ => Sharing::Private,
    }
}

/// Returns the number of buffers for which memory must be reserved.
fn buffers(scenario: &Scenario) -> usize {
    match scenario {
        Scenario::UffdWpStorm(storm) => usize::try_from(storm.threads).unwrap_or(usize::MAX),
        Scenario::Flood(_)
        | Scenario::QuietFlood(_)
        | Scenario::QuietUnmap(_)
        | Scenario::QuietProtect(_)
        | Scenario::QuietReference(_) => 2,
        _ => 1,
    }
}
