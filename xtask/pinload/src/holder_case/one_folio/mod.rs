//! One huge page with up to thousands of owners of pins: buffers, rings and threads inside a system call, beside direct
//! I/O.
//!
//! The number of owners grows in steps and shrinks in the same steps, and owners end in random order. At each step
//! pinload waits until the kernel has released all that must go, prints one line, `checkpoint`, and waits for a line on
//! standard input. Then pinload pins and unpins one more page some times, prints the time (`measured`), and waits again.

mod ambiguity;
mod blocked_threads;
mod owners;
mod readers;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::getpid;
use serde::Serialize;

use self::ambiguity::Ambiguity;
use self::owners::{LiveOwner, Owners};
use self::readers::{Reader, Readers};
use super::churn::next_line;
use super::holding;
use crate::choice::Backing;
use crate::failure::{Explain, Result};
use crate::holder::compare;
use crate::memory::{Buffer, FirstTouch, HUGE, MemorySpec, PAGE, Sharing};
use crate::report;
use crate::vmstat::PinCounters;

/// Numbers of owners at which pinload stops.
const STEPS: [usize; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
/// Pin calls of a measurement.
const MEASURED_CALLS: u32 = 20;

/// Options of `holder one-folio`.
#[derive(Args, Clone, Debug)]
pub(crate) struct OneFolioArgs {
    /// Determines the order in which the owners end
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The highest number of owners; the steps are 1, 2, 5, 10, 20, 50, 100, 200, 500 and 1000
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1000))]
    most: u64,
    /// The kind of huge page
    #[arg(long, value_enum, default_value_t = Backing::Thp)]
    backing: Backing,
    /// The file for direct I/O
    #[arg(long, default_value = "/mnt/pinload.dat")]
    file: PathBuf,
}

/// All changes so far are complete, and their releases too.
#[derive(Serialize)]
struct CheckpointLine<'a> {
    event: &'static str,
    pid: i32,
    owners: usize,
    /// The owners at this moment, each with one pin.
    held: Vec<LiveOwner>,
    /// The direct reads of this step, which have ended.
    readers: &'a [Reader],
    /// Releases so far whose owner cannot be known.
    ambiguous: Ambiguity,
    time_ns: u64,
}

/// Pins and releases of one more page by process_vm_readv.
#[derive(Serialize)]
struct MeasuredLine {
    event: &'static str,
    owners: usize,
    calls: u32,
    /// Time of all calls.
    elapsed_ns: u64,
}

/// Grows and shrinks the number of owners. Ends early at the end of standard input.
pub(crate) fn run(arguments: &OneFolioArgs) -> Result<()> {
    raise_open_files()?;
    let wanted = MemorySpec {
        pages: (HUGE / PAGE) as u64,
        backing: arguments.backing,
        sharing: Sharing::Private,
        first_touch: FirstTouch::Write,
    };
    let _settings = wanted.make_ready(1)?;
    let readers = Readers::open(&arguments.file)?;
    let mut owners = Owners::new(Buffer::new(wanted)?, arguments.seed)?;
    PinCounters::wait_until_stable()?;
    let begin = PinCounters::read()?;
    let settle = |pins: usize| {
        let expected = holding(pins as u64);
        compare(expected, Some(begin.settle(expected)?))
    };
    let most = usize::try_from(arguments.most).unwrap_or(usize::MAX);
    let grow: Vec<usize> = STEPS.into_iter().filter(|&step| step <= most).collect();
    let shrink = grow.iter().rev().skip(1).chain(&[0]);
    let steps = grow.iter().map(|&step| (step, true));
    for (step, grows) in steps.chain(shrink.map(|&step| (step, false))) {
        let address = owners.address();
        let read = if grows {
            readers.during(4, address, || owners.become_many(step))?
        } else {
            // With one thread, the owner of each release is certain. The thread does not read while owners end: a release
            // searches all owners, and an emulated CPU takes so long for it that two interrupts with releases may come
            // meanwhile. The kernel skips the hook of the second, and a tracer has lost a release.
            let read = readers.during(1, address, || Ok(()))?;
            owners.become_many(step)?;
            read
        };
        settle(step)?;
        report::print(&CheckpointLine {
            event: "checkpoint",
            pid: getpid().as_raw(),
            owners: step,
            held: owners.live(),
            readers: &read,
            ambiguous: owners.ambiguity(),
            time_ns: report::now_ns(),
        })?;
        if !next_line()? {
            break;
        }
        report::print(&measure(&owners, step)?)?;
        if !next_line()? {
            break;
        }
    }
    owners.become_many(0)?;
    settle(0)
}

fn measure(owners: &Owners, step: usize) -> Result<MeasuredLine> {
    let begin = Instant::now();
    for _ in 0..MEASURED_CALLS {
        owners.pin_and_unpin()?;
    }
    Ok(MeasuredLine {
        event: "measured",
        owners: step,
        calls: MEASURED_CALLS,
        elapsed_ns: u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX),
    })
}

/// Raises the limit of open files: each ring has a descriptor.
fn raise_open_files() -> Result<()> {
    const REMEDY: &str = "raise ulimit -n";
    let (_, most) =
        getrlimit(Resource::RLIMIT_NOFILE).failing("cannot read the limit of open files", REMEDY)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).failing("cannot raise the limit of open files", REMEDY)
}
