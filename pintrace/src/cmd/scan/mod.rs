//! `pintrace scan`: scans all memory once and finds pins of any age. The command attaches no hooks.

mod explain;
mod holder_table;
mod json;
mod openers;
mod subject;
mod text;

use std::io::{IsTerminal as _, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::exit::Exit;
use crate::pipeline::loader_btf;
use pintrace_events::BalanceSampled;
use pintrace_kernel::btf::KernelTypes;
use pintrace_kernel::facts::{self, Roots};
use pintrace_kernel::vmstat::VmstatReader;
use pintrace_scan::scan_result::{ScanResult, UnknownPins};
use pintrace_scan::scanner::{Addresses, Progress, Scanner};
use pintrace_source::baseline::around_scan;

pub use self::subject::Frames;
use self::subject::Subject;
use super::cannot_trace::CannotTrace;
use super::pids::{self, pid};

/// The command line of `scan`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Show only these processes.
    #[arg(long, value_name = "PID", value_delimiter = ',', value_parser = pid)]
    pub pid: Vec<u32>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Also list the addresses of the pinned pages of each process, the page frame numbers of pins whose holder is unknown,
    /// and the page frame numbers of pages that the kernel's heuristic takes wrongly for pinned.
    #[arg(long)]
    pub pages: bool,
    /// Explain the page with this page frame number (0x for hexadecimal): its references, pins and holders. For a range,
    /// list the pinned folios with their holders. A range is FIRST-LAST, or as in the kernel's log: '[1a3000, 1a3200)'.
    #[arg(long, value_name = "N", value_parser = subject::frames, group = "subject", conflicts_with_all = ["pid", "pages"])]
    pub pfn: Option<Frames>,
    /// Explain the page at an address of a process, such as 1234:0x7f00deadb000.
    #[arg(long, value_name = "PID:ADDR", value_parser = subject::address, group = "subject", conflicts_with_all = ["pid", "pages"])]
    pub address: Option<(u32, u64)>,
    /// Explain a descriptor of a process, such as 1234:5: the open file, the pages that the file holds, and who else has
    /// the file open.
    #[arg(long, value_name = "PID:FD", value_parser = subject::descriptor, group = "subject", conflicts_with_all = ["pid", "pages"])]
    pub fd: Option<(u32, u32)>,
    /// Read the kernel's types from this raw BTF file instead of /sys/kernel/btf/vmlinux.
    #[arg(long, value_name = "PATH")]
    pub btf: Option<std::path::PathBuf>,
}

/// The result of a scan, with the kernel's pin counters around the scan.
struct Scan {
    kernel: String,
    machine: String,
    result: ScanResult,
    /// The vmstat counters before and after the scan; `None` if they cannot be read.
    balance: Option<BalanceSampled>,
    /// The user chose processes by `--pid`.
    chosen: bool,
}

/// Most scans that are tried to get a scan during which no page is pinned or released.
const SCANS: usize = 3;

/// Returns an example of the output of `scan --json --pages`, for the test that compares the keys with the glossary.
#[doc(hidden)]
pub fn example_json() -> serde_json::Result<String> {
    json::example()
}

/// Scans, and writes the result to `out`.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let roots = Roots::with_btf(args.btf.as_deref());
    pids::check(&roots.proc, &args.pid)?;
    let types = KernelTypes::read(&roots.btf).map_err(|error| CannotTrace::because(&error))?;
    let btf = loader_btf::of(&types);
    let mut scanner = Scanner::start(&types, &btf, &roots).map_err(|error| CannotTrace::because(&error))?;
    if let Some(subject) = Subject::of(args) {
        explain::run(subject, args.json, &mut scanner, &types, &roots.proc, out)?;
        out.flush()?;
        return Ok(Exit::Done);
    }
    let vmstat = VmstatReader::new(&roots.proc);
    let mut scan = Scan {
        kernel: facts::release(&roots.proc),
        machine: facts::machine(&roots.proc),
        result: ScanResult::default(),
        balance: None,
        chosen: !args.pid.is_empty(),
    };
    let addresses = if args.pages {
        Addresses::Read
    } else {
        Addresses::Skip
    };
    for _ in 0..SCANS {
        let before = vmstat.read();
        scan.result = scan_once(&mut scanner, addresses)?;
        let pinned = scan.result.pinned.pages;
        scan.balance = before
            .zip(vmstat.read())
            .map(|(before, after)| around_scan(before, after, pinned));
        if scan
            .balance
            .is_none_or(|balance| balance.sums().difference() == 0)
        {
            break;
        }
    }
    if scan.chosen {
        scan.result
            .processes
            .retain(|process| args.pid.contains(&process.process.pid.0));
        scan.result.unknown = UnknownPins::default();
    }
    if args.json {
        writeln!(out, "{}", json::render(&scan, args.pages)?)?;
    } else {
        text::write(&scan, args.pages, out)?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Scans once.
fn scan_once(scanner: &mut Scanner, addresses: Addresses) -> anyhow::Result<ScanResult> {
    Ok(with_progress(|progress| scanner.scan(addresses, progress))??)
}

/// Calls `work` with a progress bar, if stderr is a terminal.
fn with_progress<T>(work: impl FnOnce(Progress<'_>) -> T) -> anyhow::Result<T> {
    /// The number of page frames between two updates of the bar.
    const DRAW_EACH: u64 = 1 << 18;
    let bar = ProgressBar::new(0);
    bar.set_draw_target(if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    });
    bar.set_style(ProgressStyle::with_template(
        "reading struct pages {bar:30} {percent:>3}% {eta}",
    )?);
    let mut drawn = 0;
    let result = work(&mut |done, total| {
        // A second reading begins anew.
        if done < drawn {
            drawn = 0;
        }
        if done >= drawn + DRAW_EACH {
            drawn = done;
            bar.set_length(total);
            bar.set_position(done);
        }
    });
    bar.finish_and_clear();
    Ok(result)
}
