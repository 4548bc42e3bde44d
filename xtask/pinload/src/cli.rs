//! The command line: parses and checks the arguments of each workload.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::bench::{BenchArgs, BusyArgs};
use crate::choice::{Backing, RangeChange, ReleaseMethod};
use crate::delayed_reads::DelayedReadsArgs;
use crate::holder_case::{ChurnArgs, HolderArgs, OneFolioArgs};
use crate::hostile::HostileArgs;
use crate::refused::RefusedArgs;
use crate::scenario::Scenario;
use crate::slow_registration::SlowRegistrationArgs;

/// Pins memory in every way that user space can, and reports exactly these pins as JSON lines on standard output.
///
/// Exit codes: 0 done, 1 failed, 2 usage error, 3 not available on this kernel or machine, 4 the pin counters of
/// /proc/vmstat (--verify) differ from the expected values.
#[derive(Debug, Parser)]
#[command(name = "pinload", version)]
pub(crate) struct PinloadCli {
    /// The subcommand.
    #[command(subcommand)]
    pub(crate) command: PinloadCommand,
}

/// The subcommands: one for each kind of pin, and the subcommands that combine kinds.
#[derive(Debug, Subcommand)]
pub(crate) enum PinloadCommand {
    /// Fixed buffers of an io_uring (IORING_REGISTER_BUFFERS)
    IoUring {
        /// Registered buffers, each of PAGES / BUFFERS pages
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=16384))]
        buffers: u64,
        /// Let a forked child register its memory through a ring that its parent created
        #[arg(long, conflicts_with_all = ["threads", "fork_child", "shared_memory", "change"])]
        shared_ring: bool,
        /// Name the ring by a slot of the thread's registered rings and not by its descriptor (6.3 and later)
        #[arg(long, conflicts_with = "shared_ring")]
        registered_ring: bool,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// A umem of an AF_XDP socket (XDP_UMEM_REG); needs no device
    AfXdp {
        #[command(flatten)]
        common: CommonArgs,
    },
    /// process_vm_readv of a child's memory
    ProcessVm {
        /// Number of calls, one after another
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        repeat: u64,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Reads from a file with O_DIRECT
    DirectRead {
        #[command(flatten)]
        direct: DirectArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Writes to a file with O_DIRECT
    DirectWrite {
        #[command(flatten)]
        direct: DirectArgs,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// A DMA buffer over a memfd (/dev/udmabuf)
    Udmabuf {
        #[command(flatten)]
        common: CommonArgs,
    },
    /// A DMA mapping for QEMU's edu device (VFIO, type 1)
    Vfio {
        #[command(flatten)]
        common: CommonArgs,
    },
    /// A memory region of a software RDMA device, which is made if there is none (rdma_rxe)
    Rdma {
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Pages spliced into pipes: references (FOLL_GET), no pins
    Vmsplice {
        #[command(flatten)]
        common: CommonArgs,
    },
    /// MSG_ZEROCOPY over loopback TCP: references (FOLL_GET), no pins
    Zerocopy {
        #[command(flatten)]
        common: CommonArgs,
    },
    /// Try every kind on every backing, with one line for each: ok, differs, failed or skipped
    All(AllArgs),
    /// Change pinned or neighbouring memory, and report the findings to expect (root)
    Scenario {
        /// The scenario
        #[command(subcommand)]
        scenario: Scenario,
    },
    /// Let an open file hold pins in an unusual way, and report the holders to expect
    #[command(
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true,
        disable_help_subcommand = true
    )]
    Holder {
        /// Many holders, instead of one case
        #[command(subcommand)]
        many: Option<ManyHolders>,
        #[command(flatten)]
        case: Option<HolderArgs>,
    },
    /// Two processes read into one huge page by asynchronous direct I/O; one read takes much longer (root, null_blk)
    DelayedReads(DelayedReadsArgs),
    /// A registration of io_uring buffers that takes long, because the memory is in slow swap (root, null_blk)
    SlowRegistration(SlowRegistrationArgs),
    /// Registrations that the kernel refuses: io_uring buffers, VFIO mappings or RDMA regions (root)
    Refused(RefusedArgs),
    /// What a hostile user can do to a tracer: operations, names, threads and processes without end
    Hostile(HostileArgs),
    /// Repeat one operation and report the time
    Bench(BenchArgs),
    /// Keep the processors busy with threads of the lowest priority, until a signal arrives
    Busy(BusyArgs),
    /// The program that a child of `holder execed` executes
    #[command(hide = true)]
    WaitForParent,
    /// Run a mix of workloads until SIGINT or SIGTERM
    Demo(DemoArgs),
}

/// The subcommands of `holder`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ManyHolders {
    /// Let 8 workers open, pass, inherit and close rings at random, and report the holders to expect (root)
    Churn(ChurnArgs),
    /// Pin one huge page through 1 to 1000 owners (buffers, rings, threads) beside direct I/O, and report the owners
    /// (root)
    OneFolio(OneFolioArgs),
}

/// Options of direct I/O.
#[derive(Args, Clone, Debug)]
pub(crate) struct DirectArgs {
    /// The file. A new file is removed after the run; an existing file is read but not written
    #[arg(long, default_value = "/mnt/pinload.dat")]
    pub(crate) file: PathBuf,
    /// Bytes of each call, a multiple of 512
    #[arg(long, default_value_t = 65536, value_parser = clap::value_parser!(u64).range(512..=1 << 30))]
    pub(crate) block: u64,
    /// Write to FILE even if it exists
    #[arg(long)]
    pub(crate) overwrite: bool,
}

/// Options of every workload.
#[derive(Args, Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a separate switch on the command line"
)]
pub(crate) struct CommonArgs {
    /// Pages of 4 KiB to pin
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 26))]
    pub(crate) pages: u64,
    /// The kind of pages
    #[arg(long, value_enum, default_value_t = Backing::Small)]
    pub(crate) backing: Backing,
    /// Reserve huge pages first (root), and restore the setting at the end
    #[arg(long)]
    pub(crate) reserve: bool,
    /// Do not touch the memory, so that the pin faults in the pages
    #[arg(long, conflicts_with = "zero_page")]
    pub(crate) untouched: bool,
    /// Only read the memory before the pin, so that the zero page is mapped
    #[arg(long)]
    pub(crate) zero_page: bool,
    /// Hold the pins for this time (500ms, 5s, 2m)
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "hold_until_stdin")]
    pub(crate) hold: Option<Duration>,
    /// Hold the pins until a line or end of file arrives on standard input
    #[arg(long)]
    pub(crate) hold_until_stdin: bool,
    /// How the pins are released
    #[arg(long, value_enum, default_value_t = ReleaseMethod::Explicit)]
    pub(crate) release: ReleaseMethod,
    /// Number of threads; each thread pins separate memory
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) threads: u32,
    /// Pin, fork, and let the child pin separate memory
    #[arg(long, conflicts_with = "threads")]
    pub(crate) fork_child: bool,
    /// Parent and child pin the same shared memory
    #[arg(long, conflicts_with_all = ["threads", "fork_child"])]
    pub(crate) shared_memory: bool,
    /// After pinning, apply this change to the pinned range (io-uring and af-xdp)
    #[arg(long, value_enum)]
    pub(crate) change: Option<RangeChange>,
    /// Read the pin counters of /proc/vmstat before and after (root), and exit with 4 if they differ from the
    /// expected values
    #[arg(long)]
    pub(crate) verify: bool,
    /// Name of the process, as ps shows it (15 bytes)
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Die with this process, which is the parent
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) die_with_parent: Option<i32>,
}

/// Options of `all`.
#[derive(Args, Clone, Debug)]
pub(crate) struct AllArgs {
    /// Pages of 4 KiB for each check
    #[arg(long, default_value_t = 64)]
    pub(crate) pages: u64,
    /// Compare with the pin counters of /proc/vmstat (root)
    #[arg(long)]
    pub(crate) verify: bool,
    /// Also check threads, children, range changes, zero pages and release methods
    #[arg(long)]
    pub(crate) variants: bool,
    /// The file for direct I/O
    #[arg(long, default_value = "/mnt/pinload.dat")]
    pub(crate) file: PathBuf,
}

/// Options of `demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    /// End after this time (30s, 5m); without it, at SIGINT or SIGTERM
    #[arg(long, value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// The file for direct I/O
    #[arg(long, default_value = "/mnt/pinload.dat")]
    pub(crate) file: PathBuf,
    /// Print nothing
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// Parses `500ms`, `5s`, `2m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let wrong = || format!("{text:?} is no duration: write 500ms, 5s or 2m, for example");
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        for wrong in [
            "5",
            "s",
            "5 s",
            "-1s",
            "1d",
            "99999999999999999999s",
            "9999999999999999h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        PinloadCli::command().debug_assert();
    }
}
