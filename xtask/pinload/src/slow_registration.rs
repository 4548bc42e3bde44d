//! A registration that takes long: the kernel has to read each page from slow swap before it can pin the page.

use std::time::Duration;

use clap::Args;
use nix::unistd::getpid;
use serde::Serialize;

use crate::choice::Backing;
use crate::cli::duration;
use crate::failure::Result;
use crate::hold::HoldCondition;
use crate::memory::{Buffer, FirstTouch, MemorySpec, Sharing};
use crate::report;
use crate::slow_swap::SlowSwap;
use crate::workload::{IoUringBuffers, Umem, Workload as _};

/// Options of `slow-registration`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SlowRegistrationArgs {
    /// Pages of 4 KiB to register
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pages: u64,
    /// Time that each page takes
    #[arg(long, default_value = "10ms", value_parser = duration)]
    delay: Duration,
    /// The thread first pins a page by an AF_XDP socket, and keeps it
    #[arg(long)]
    after_umem: bool,
}

/// `registering` (the call is about to begin) and `registered` (the call has returned).
#[derive(Serialize)]
struct RegistrationLine {
    event: &'static str,
    pid: i32,
    pages: u64,
    time_ns: u64,
}

/// Registers memory, with a line before and after the call. Then waits for a line on standard input.
pub(crate) fn run(arguments: &SlowRegistrationArgs) -> Result<()> {
    let buffer = small(arguments.pages)?;
    let print = |event| {
        report::print(&RegistrationLine {
            event,
            pid: getpid().as_raw(),
            pages: arguments.pages,
            time_ns: report::now_ns(),
        })
    };
    let swap = SlowSwap::new(arguments.pages, arguments.delay)?;
    SlowSwap::page_out(&buffer)?;
    let umem = arguments.after_umem.then(registered_umem).transpose()?;
    let mut ring = IoUringBuffers::new(buffer, 1)?;
    print("registering")?;
    ring.pin()?;
    print("registered")?;
    HoldCondition::StdinLine.wait()?;
    // The pages are in memory, so the swap space is empty.
    drop((swap, umem));
    Ok(())
}

fn small(pages: u64) -> Result<Buffer> {
    Buffer::new(MemorySpec {
        pages,
        backing: Backing::Small,
        sharing: Sharing::Private,
        first_touch: FirstTouch::Write,
    })
}

fn registered_umem() -> Result<Umem> {
    let mut umem = Umem::new(small(1)?)?;
    umem.pin()?;
    Ok(umem)
}
