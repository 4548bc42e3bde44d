//! What a hostile user without privileges can do to a tracer: many small operations, processes with hostile names, threads
//! and forks without end. Each attack stops at a count or at a time, whichever comes first, and reports what it did.

mod fork_bomb;
mod names;
mod threads;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use nix::unistd::getpid;
use serde::Serialize;

use crate::choice::Backing;
use crate::failure::Result;
use crate::memory::{Buffer, FirstTouch, MemorySpec, Sharing};
use crate::report;
use crate::workload::{IoUringBuffers, Workload as _};

/// Options of `hostile`.
#[derive(Args, Clone, Debug)]
pub(crate) struct HostileArgs {
    /// What the user does
    #[arg(value_enum)]
    attack: Attack,
    /// Most repetitions
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Stop after this time (500ms, 5s, 2m)
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::duration, default_value = "1m")]
    limit: Duration,
    /// The file for direct I/O, which must exist
    #[arg(long, default_value = "/mnt/pinload.dat")]
    file: PathBuf,
}

/// What a hostile user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Attack {
    /// Register a page with an io_uring and unregister it
    Registrations,
    /// Fork a process that takes a hostile name, pins a page for a moment and exits
    Names,
    /// Write-protect one pinned page and make it writable again
    Protect,
    /// Start a thread that makes one read with direct I/O
    Threads,
    /// Fork processes that pin a page for a moment and fork in turn
    ForkBomb,
}

/// The attack has ended.
#[derive(Serialize)]
struct HostileLine {
    event: &'static str,
    pid: i32,
    /// Repetitions.
    done: u64,
    /// Pages that this process pinned, one after another; children pinned others.
    pinned: u64,
    /// All these pages were pinned by this process, and are released.
    time_ns: u64,
}

/// The end of an attack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    count: u64,
    until: Instant,
}

impl Bound {
    /// Returns true if another repetition is allowed after `done` of them.
    fn allows(self, done: u64) -> bool {
        done < self.count && Instant::now() < self.until
    }
}

/// Runs the attack.
pub(crate) fn run(arguments: &HostileArgs) -> Result<()> {
    let bound = Bound {
        count: arguments.count,
        until: Instant::now() + arguments.limit,
    };
    let (done, pinned) = match arguments.attack {
        Attack::Registrations => registrations(bound)?,
        Attack::Protect => protect(bound)?,
        Attack::Names => (names::run(bound)?, 0),
        Attack::Threads => {
            let done = threads::run(bound, &arguments.file)?;
            (done, done)
        }
        Attack::ForkBomb => (fork_bomb::run(bound)?, 0),
    };
    report::print(&HostileLine {
        event: "hostile",
        pid: getpid().as_raw(),
        done,
        pinned,
        time_ns: report::now_ns(),
    })
}

fn registrations(bound: Bound) -> Result<(u64, u64)> {
    let mut workload = IoUringBuffers::new(page()?, 1)?;
    let mut done = 0;
    while bound.allows(done) {
        workload.pin()?;
        workload.unpin()?;
        done += 1;
    }
    workload.close()?;
    Ok((done, done))
}

fn protect(bound: Bound) -> Result<(u64, u64)> {
    let mut workload = IoUringBuffers::new(page()?, 1)?;
    workload.pin()?;
    let mut done = 0;
    if let Some(buffer) = workload.buffer() {
        while bound.allows(done) {
            buffer.protect(false)?;
            buffer.protect(true)?;
            // Only present writable pages change again.
            buffer.write_pages();
            done += 1;
        }
    }
    workload.unpin()?;
    workload.close()?;
    Ok((done, 1))
}

fn page() -> Result<Buffer> {
    pages(1)
}

fn pages(count: u64) -> Result<Buffer> {
    Buffer::new(MemorySpec {
        pages: count,
        backing: Backing::Small,
        sharing: Sharing::Private,
        first_touch: FirstTouch::Write,
    })
}
