//! Cases in which an open file holds pins in an unusual way, and the processes that a tracer must name as the holders.
//!
//! A case prints one line, `ready`, and holds the pins. Each child ends when pinload ends: the kernel kills the child,
//! or the child reads the end of the pipe from its parent.

mod arguments;
mod churn;
mod generator;
mod idle_descriptors;
mod innocent;
mod memory;
mod message;
mod one_folio;
mod other_process;
mod passing;
mod ring;
mod ring_parameters;
mod ring_register;
mod several_buffers;
mod situation;
mod umem;
mod user_memory;
mod without_descriptor;

pub(crate) use self::arguments::{HolderArgs, HolderCase};
pub(crate) use self::churn::{ChurnArgs, run as churn};
pub(crate) use self::one_folio::{OneFolioArgs, run as one_folio};

use nix::unistd::getpid;
use serde::Serialize;

use self::situation::{HeldPins, Situation};
use crate::failure::Result;
use crate::hold::HoldCondition;
use crate::holder::compare;
use crate::pins::PinCounts;
use crate::report;
use crate::vmstat::PinCounters;

/// All is set up.
#[derive(Serialize)]
struct ReadyLine<'a> {
    event: &'static str,
    case: String,
    pid: i32,
    held: &'a [HeldPins],
    innocent: &'a [i32],
    /// All pins of the case.
    pinned: u64,
    /// The counts of /proc/vmstat (`--verify`).
    #[serde(skip_serializing_if = "Option::is_none")]
    vmstat: Option<PinCounts>,
    time_ns: u64,
}

/// Sets up the case, prints `ready`, holds, and releases.
pub(crate) fn run(arguments: &HolderArgs) -> Result<()> {
    if arguments.verify {
        PinCounters::wait_until_stable()?;
    }
    let begin = arguments.verify.then(PinCounters::read).transpose()?;
    let settle = |held| begin.map(|begin| begin.settle(held)).transpose();
    let situation = set_up(arguments.case)?;
    let expected = holding(situation.pinned());
    let vmstat = settle(expected)?;
    report::print(&ReadyLine {
        event: "ready",
        case: arguments.case.name(),
        pid: getpid().as_raw(),
        held: &situation.held,
        innocent: &situation.innocent,
        pinned: situation.pinned(),
        vmstat,
        time_ns: report::now_ns(),
    })?;
    let until_stdin = arguments.hold_until_stdin || arguments.hold.is_none();
    HoldCondition::new(arguments.hold, until_stdin).wait()?;
    situation.release()?;
    compare(expected, vmstat)?;
    compare(holding(0), settle(holding(0))?)
}

/// Returns the counts of a case with `pins` pins. A case may take more pins, and release them at once.
fn holding(pins: u64) -> PinCounts {
    PinCounts {
        held: Some(pins),
        ..PinCounts::default()
    }
}

fn set_up(case: HolderCase) -> Result<Situation> {
    match case {
        HolderCase::HalfUnmapped => several_buffers::half_unmapped(),
        HolderCase::RingKeptByMapping => without_descriptor::ring_kept_by_mapping(),
        HolderCase::RegisteredRing => without_descriptor::registered_ring(),
        HolderCase::SharedUmem => umem::shared(),
        HolderCase::SharedMemory => other_process::shared_memory(),
        HolderCase::ZombieLeader => other_process::zombie_leader(),
        HolderCase::SparseTable => several_buffers::sparse_table(),
        HolderCase::NoMmapRing => user_memory::no_mmap_ring(),
        HolderCase::BufferRing => user_memory::buffer_ring(),
        HolderCase::PassedRing => message::passed_ring(),
        HolderCase::InFlightRing => message::in_flight_ring(),
        HolderCase::InFlightSocket => message::in_flight_socket(),
        HolderCase::Duplicated => without_descriptor::duplicated(),
        HolderCase::Execed => other_process::execed(),
        HolderCase::IdleDescriptors => idle_descriptors::idle_descriptors(),
        HolderCase::ManyOwners => several_buffers::many_owners(),
    }
}
