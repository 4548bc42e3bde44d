//! Enables the kernel's BPF statistics: run time and number of runs of each program.

use std::io;
use std::os::fd::OwnedFd;

use aya::sys::Stats;

/// Enables the statistics until the descriptor is closed, by `BPF_ENABLE_STATS` (Linux 5.8). Each run of any BPF program
/// on the host then reads the clock twice. Needs CAP_SYS_ADMIN. Returns the error of the system call.
pub fn enable() -> io::Result<OwnedFd> {
    aya::sys::enable_stats(Stats::RunTime).map_err(|error| error.io_error)
}
