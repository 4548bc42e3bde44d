//! Threads that compute and pause in turn, at the lowest priority, until the process is killed.
//!
//! Threads that never pause would keep pintrace from detaching: a grace period of RCU tasks waits until each thread has
//! given up its processor or was seen in user mode, and 64 threads on one processor take many turns of the scheduler.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use nix::errno::Errno;
use nix::libc;

use crate::failure::{Explain, Result};

/// The lowest priority: beside 64 such threads, a thread of the usual priority gets half of one processor.
const LOWEST: i32 = 19;

/// Computing time of a thread between two pauses, as of a server between two requests.
const WORK: Duration = Duration::from_millis(1);
/// Duration of a pause.
const PAUSE: Duration = Duration::from_micros(100);

/// Options of `busy`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BusyArgs {
    /// Number of threads
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    threads: u32,
}

/// Computes until a signal ends the process.
pub(crate) fn run(arguments: &BusyArgs) -> Result<()> {
    // SAFETY: the call takes no pointer.
    let lowered = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, LOWEST) };
    Errno::result(lowered)
        .map(drop)
        .failing("cannot lower the priority", "report this as a bug of pinload")?;
    // Threads inherit the priority of the thread that starts them.
    for _ in 1..arguments.threads {
        thread::spawn(compute);
    }
    compute()
}

fn compute() -> ! {
    loop {
        let begin = Instant::now();
        while begin.elapsed() < WORK {
            std::hint::spin_loop();
        }
        thread::sleep(PAUSE);
    }
}
