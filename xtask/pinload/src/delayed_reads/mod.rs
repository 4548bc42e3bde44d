//! Two processes read into one shared huge page at the same time, by asynchronous direct I/O. The first read ends much
//! earlier than the second, in a timer interrupt, while threads of the second process run on all CPUs. The interrupt does
//! not show whose read has ended.

use std::fs::File;
use std::hint::spin_loop;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use io_uring::{opcode, types};
use serde::Serialize;

use crate::child::{self, ForkedChild};
use crate::choice::Backing;
use crate::cli::duration;
use crate::delayed_device::DelayedDevice;
use crate::failure::{Explain, Failure, Result};
use crate::hold::HoldCondition;
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, FirstTouch, MemorySpec, PAGE, Sharing};
use crate::report;
use crate::workload::IoUringBuffers;

const BUG: &str = "report this as a bug of pinload";

/// Options of `delayed-reads`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DelayedReadsArgs {
    /// Time of the first read
    #[arg(long, default_value = "4s", value_parser = duration)]
    first: Duration,
    /// Time of the second read
    #[arg(long, default_value = "18s", value_parser = duration)]
    second: Duration,
}

/// `reading` (both reads have begun) and `ended`, for each read.
#[derive(Serialize)]
struct ReadsLine {
    event: &'static str,
    first_pid: i32,
    second_pid: i32,
    /// Reads that have not ended.
    reads: u64,
    time_ns: u64,
}

/// A process that reads once.
struct Reader(ForkedChild);

/// Begins both reads and prints a line when the reads have begun, and when each has ended. Then waits for a line on
/// standard input.
pub(crate) fn run(arguments: &DelayedReadsArgs) -> Result<()> {
    if KernelRelease::running()?.direct_io_pins() == Some(false) {
        return Err(Failure::unavailable(
            "direct I/O takes no pins on this kernel",
            "use kernel 6.5 or later",
        ));
    }
    let wanted = MemorySpec {
        pages: 512,
        backing: Backing::Hugetlb,
        sharing: Sharing::Shared,
        first_touch: FirstTouch::Write,
    };
    let _settings = wanted.make_ready(1)?;
    let devices = [
        DelayedDevice::new("pinload_first", arguments.first)?,
        DelayedDevice::new("pinload_second", arguments.second)?,
    ];
    let buffer = Buffer::new(wanted)?;
    let mut first = Reader::start(&devices[0].open()?, buffer.address(), Duration::ZERO)?;
    let mut second = Reader::start(&devices[1].open()?, buffer.address() + PAGE, arguments.first * 2)?;
    let pids = [&first, &second].map(|reader| reader.0.pid().as_raw());
    let print = |event, reads| {
        report::print(&ReadsLine {
            event,
            first_pid: pids[0],
            second_pid: pids[1],
            reads,
            time_ns: report::now_ns(),
        })
    };
    print("reading", 2)?;
    first.await_end()?;
    print("ended", 1)?;
    second.await_end()?;
    print("ended", 0)?;
    HoldCondition::StdinLine.wait()?;
    [first, second]
        .into_iter()
        .map(|reader| reader.0.finish().and_then(child::check))
        .fold(Ok(()), Result::and)
}

impl Reader {
    /// Forks a process that reads one page, and keeps all CPUs busy for some time. Returns once the read has begun.
    fn start(file: &File, target: usize, busy: Duration) -> Result<Self> {
        let child = ForkedChild::fork(|parent| {
            let mut ring = IoUringBuffers::make_ring()?;
            let pointer = std::ptr::with_exposed_provenance_mut(target);
            let length = u32::try_from(PAGE).unwrap_or(0);
            let read = opcode::Read::new(types::Fd(file.as_raw_fd()), pointer, length).build();
            // SAFETY: the page is mapped until the process ends, and no other code uses its contents.
            unsafe { ring.submission().push(&read) }.failing("cannot queue a read", BUG)?;
            ring.submit().failing("cannot begin a read", BUG)?;
            parent.ready()?;
            let spinning = spin_on_all_cpus(busy);
            ring.submit_and_wait(1).failing("cannot wait for a read", BUG)?;
            let result = ring.completion().next().map(|entry| entry.result());
            spinning
                .into_iter()
                .try_for_each(thread::JoinHandle::join)
                .map_err(|_| panicked())?;
            if result.and_then(|bytes| usize::try_from(bytes).ok()) != Some(PAGE) {
                return Err(Failure::failed(format!("the read returned {result:?}"), BUG));
            }
            parent.ready()?;
            parent.wait()
        })?;
        child.when_ready().map(Self)
    }

    /// Waits until the read has ended.
    fn await_end(&mut self) -> Result<()> {
        use std::io::Read as _;
        let read = self.0.messages().read_exact(&mut [0]);
        read.failing("a reading process ended without a message", "see its message")
    }
}

fn spin_on_all_cpus(busy: Duration) -> Vec<thread::JoinHandle<()>> {
    let until = Instant::now() + busy;
    let cpus = if busy.is_zero() {
        0
    } else {
        thread::available_parallelism().map_or(1, usize::from)
    };
    let spin = move || {
        while Instant::now() < until {
            spin_loop();
        }
    };
    (0..cpus).map(|_| thread::spawn(spin)).collect()
}

fn panicked() -> Failure {
    Failure::failed("a thread panicked", BUG)
}
