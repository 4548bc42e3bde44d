//! The options of the scenarios: the memory, the threads and processes that change the memory, and the waiting time.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::choice::Backing;
use crate::cli::duration;

/// Memory of any backing.
#[derive(Args, Clone, Debug)]
pub(crate) struct MemoryArgs {
    /// Pages of 4 KiB
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) pages: u64,
    /// The kind of pages
    #[arg(long, value_enum, default_value_t = Backing::Small)]
    pub(crate) backing: Backing,
    /// Reserve hugetlb pages, or allow transparent huge pages, first (root); restore the settings at the end
    #[arg(long)]
    pub(crate) reserve: bool,
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
}

/// Memory of small pages.
#[derive(Args, Clone, Debug)]
pub(crate) struct SmallPageArgs {
    /// Pages of 4 KiB
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) pages: u64,
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
}

/// A buffer over several mappings.
#[derive(Args, Clone, Debug)]
pub(crate) struct SpanningArgs {
    /// Pages of 4 KiB, in all areas
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) pages: u64,
    /// Number of mappings side by side
    #[arg(long, default_value_t = 2)]
    pub(crate) areas: usize,
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
}

/// Memory of small pages, and the process that writes to it.
#[derive(Args, Clone, Debug)]
pub(crate) struct WriterArgs {
    #[command(flatten)]
    pub(crate) memory: SmallPageArgs,
    /// The process that writes
    #[arg(long, value_enum, default_value_t = Writer::Own)]
    pub(crate) writer: Writer,
    /// Number of children that have pinned the written pages, through shared mappings of the file
    #[arg(long, default_value_t = 0)]
    pub(crate) others: u64,
}

/// A process that writes to memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Writer {
    /// The process itself
    Own,
    /// A process that shares the memory (CLONE_VM)
    Sibling,
    /// Another process, through /proc/PID/mem
    ProcMem,
}

/// Pages of one transparent huge page.
#[derive(Args, Clone, Debug)]
pub(crate) struct ThpArgs {
    /// Pages of 4 KiB to pin
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=511))]
    pub(crate) pages: u64,
    #[command(flatten)]
    pub(crate) reserve: ReserveArgs,
}

/// Buffers of one page each in one transparent huge page.
#[derive(Args, Clone, Debug)]
pub(crate) struct ManyBuffersArgs {
    /// Buffers, each of one page of 4 KiB
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) pages: u64,
    #[command(flatten)]
    pub(crate) reserve: ReserveArgs,
}

/// Memory of hugetlb pages.
#[derive(Args, Clone, Debug)]
pub(crate) struct HugetlbArgs {
    /// Pages of 4 KiB
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) pages: u64,
    #[command(flatten)]
    pub(crate) reserve: ReserveArgs,
}

/// The settings that huge pages need, and the waiting time.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReserveArgs {
    /// Reserve hugetlb pages, or allow transparent huge pages, first (root); restore the settings at the end
    #[arg(long)]
    pub(crate) reserve: bool,
    #[command(flatten)]
    pub(crate) hold: HoldArgs,
}

/// Memory that is write-protected repeatedly.
#[derive(Args, Clone, Debug)]
pub(crate) struct UffdWritersArgs {
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    /// Number of write-protects of the whole range
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,
    /// Threads that write continuously
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) writers: u32,
}

/// Memory that many threads write-protect.
#[derive(Args, Clone, Debug)]
pub(crate) struct UffdStormArgs {
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    /// Number of write-protects by each thread
    #[arg(long, default_value_t = 2500, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: u64,
    /// Threads that write-protect, each a range of PAGES pages
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) threads: u32,
    /// All threads write-protect the same range, one at a time
    #[arg(long)]
    pub(crate) shared: bool,
    /// Threads that write continuously; 0 for none
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=256))]
    pub(crate) writers: u32,
    /// Additional write-protects of never-touched memory, by each thread; they change no page
    #[arg(long, default_value_t = 0)]
    pub(crate) empty: u64,
}

/// The waiting time of a scenario, and the name of its process.
#[derive(Args, Clone, Debug)]
pub(crate) struct HoldArgs {
    /// Wait for this time (500ms, 5s, 2m) after the line `ready`, and again after the line `changed`
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "hold_until_stdin")]
    pub(crate) hold: Option<Duration>,
    /// Wait for a line or end of file on standard input instead
    #[arg(long)]
    pub(crate) hold_until_stdin: bool,
    /// Name of the process, as ps shows it (15 bytes)
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Die with this process, which is the parent
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) die_with_parent: Option<i32>,
}

impl MemoryArgs {
    /// Returns memory of small pages.
    pub(super) fn small(pages: u64, hold: &HoldArgs) -> Self {
        Self {
            pages,
            backing: Backing::Small,
            reserve: false,
            hold: hold.clone(),
        }
    }
}

impl ReserveArgs {
    /// Returns memory of huge pages with these settings.
    pub(super) fn memory(&self, pages: u64, backing: Backing) -> MemoryArgs {
        MemoryArgs {
            pages,
            backing,
            reserve: self.reserve,
            hold: self.hold.clone(),
        }
    }
}
