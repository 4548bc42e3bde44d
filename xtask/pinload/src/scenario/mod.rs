//! Scenarios: what is done to pinned memory or beside it, and what a tracer is to find in it.
//!
//! Each prints `ready`, waits at a gate, does what it does (`step`), prints `touched`, waits at a second gate,
//! gives the pins back (`released`), and says what happened (`expected`, `done`).

mod adopted;
mod arguments;
mod crew;
mod crowd;
mod fork;
mod ksm;
mod mapping;
mod partial;
mod pinned;
mod quiet;
mod reference;
mod short;
mod stage;
mod truth;
mod uffd;
mod waiting;

pub(crate) use self::arguments::{Scenario, Stay};

use self::pinned::Pinned;
use self::stage::Stage;
use crate::failure::Result;
use crate::memory::{Buffer, Sharing};

/// Plays the scenario, and undoes what it changed on the machine.
pub(crate) fn run(scenario: &Scenario) -> Result<()> {
    let stage = &mut Stage::new(scenario);
    let _settings = if scenario.memory().reserve {
        stage.wanted(sharing(scenario)).make_ready(buffers(scenario))?
    } else {
        Vec::new()
    };
    match scenario {
        Scenario::ForkWriteParent(_) => pinned(stage, fork::parent_writes),
        Scenario::ForkWriteChild(_) => pinned(stage, fork::child_writes),
        Scenario::ProtectWrite(_) => pinned(stage, mapping::protect_write),
        Scenario::UnmapRemap(_) => pinned(stage, mapping::unmap_remap),
        Scenario::Dontneed(_) => pinned(stage, mapping::dontneed),
        Scenario::ProcessDontneed(_) => pinned(stage, mapping::process_dontneed),
        Scenario::Free(_) => pinned(stage, mapping::free),
        Scenario::Mremap(_) => pinned(stage, mapping::mremap),
        Scenario::MremapKeep(_) => pinned(stage, mapping::mremap_keep),
        Scenario::MapOver(_) => pinned(stage, mapping::map_over),
        Scenario::UffdWpWriters(writing) => {
            pinned(stage, |stage, pinned| uffd::writers(stage, pinned, writing))
        }
        Scenario::UffdWpStorm(storm) => uffd::storm(stage, storm),
        Scenario::SoftDirty(_) => pinned(stage, mapping::soft_dirty),
        Scenario::ReadPinWrite(_) => short::read_pin_write(stage),
        Scenario::Ksm(_) => pinned(stage, ksm::scan),
        Scenario::Truncate(memory) => {
            mapping::check_parts(4, memory.pages, memory.backing)?;
            pinned_on(stage, Sharing::Memfd, mapping::truncate)
        }
        Scenario::ExitAdopted(_) => adopted::exit(stage),
        Scenario::Undeclared(_) => short::undeclared(stage),
        Scenario::ShortUnmap(_) => short::unmap(stage),
        Scenario::ReferenceForkWrite(_) => reference::fork_write(stage),
        Scenario::Crowd(_) => crowd::play(stage),
        Scenario::QuietFork(_) => quiet::fork(stage),
        Scenario::QuietUnmap(_) => quiet::unmap(stage),
        Scenario::QuietProtect(_) => quiet::protect(stage),
        Scenario::QuietRelease(_) => quiet::release(stage),
        Scenario::QuietPartialRelease(memory) => {
            mapping::check_parts(2, memory.pages, memory.backing)?;
            partial::release(stage)
        }
        Scenario::QuietReference(_) => reference::quiet(stage),
    }
}

/// Pins private memory, does what there is to do, and releases.
fn pinned(stage: &mut Stage, work: impl FnOnce(&mut Stage, &mut Pinned) -> Result<()>) -> Result<()> {
    pinned_on(stage, Sharing::Private, work)
}

fn pinned_on(
    stage: &mut Stage,
    sharing: Sharing,
    work: impl FnOnce(&mut Stage, &mut Pinned) -> Result<()>,
) -> Result<()> {
    let buffer = Buffer::new(stage.wanted(sharing))?;
    let mut pinned = Pinned::new(stage, buffer)?;
    work(stage, &mut pinned)?;
    stage.touched()?;
    pinned.release(stage)?;
    stage.end()
}

const fn sharing(scenario: &Scenario) -> Sharing {
    match scenario {
        Scenario::Truncate(_) => Sharing::Memfd,
        Scenario::ReadPinWrite(_) => Sharing::Copied,
        _ => Sharing::Private,
    }
}

/// For how many buffers of the wanted size there must be memory.
fn buffers(scenario: &Scenario) -> usize {
    match scenario {
        Scenario::UffdWpStorm(storm) => usize::try_from(storm.threads).unwrap_or(usize::MAX),
        Scenario::QuietUnmap(_) | Scenario::QuietProtect(_) | Scenario::QuietReference(_) => 2,
        _ => 1,
    }
}
