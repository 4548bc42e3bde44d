//! The command line of `scenario`.

use clap::Subcommand;

use super::memory_arguments::{
    HugetlbArgs, ManyBuffersArgs, MemoryArgs, SmallPageArgs, SpanningArgs, ThpArgs, UffdStormArgs,
    UffdWritersArgs, WriterArgs,
};
use crate::choice::Backing;

/// The scenarios: each pins, references or changes memory in a way that a tracer must report, or must not.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// Pin, fork, and write to each page in the parent
    ForkWriteParent(MemoryArgs),
    /// Pin, fork, and write to each page in the child
    ForkWriteChild(MemoryArgs),
    /// Pin, make read-only and writable again, write to each page
    ProtectWrite(MemoryArgs),
    /// Pin, unmap, map new memory at the same address, write to each page
    UnmapRemap(MemoryArgs),
    /// Pin, MADV_DONTNEED, write to each page
    Dontneed(MemoryArgs),
    /// Pin, MADV_DONTNEED by process_madvise, write to each page
    ProcessDontneed(SmallPageArgs),
    /// Pin, MADV_FREE, write to each page
    Free(MemoryArgs),
    /// Pin, move the mapping to another address
    Mremap(MemoryArgs),
    /// Pin, move the pages to another address and leave the mapping where it is (MREMAP_DONTUNMAP)
    MremapKeep(SmallPageArgs),
    /// Pin, map other memory over the second half (MAP_FIXED)
    MapOver(MemoryArgs),
    /// Pin, and write-protect by userfaultfd while threads write
    UffdWpWriters(UffdWritersArgs),
    /// Pin nothing, and write-protect by userfaultfd in many threads while other threads write
    UffdWpStorm(UffdStormArgs),
    /// Pin, write 4 to /proc/self/clear_refs, write to each page
    SoftDirty(MemoryArgs),
    /// Take short-term read-only pins (no FOLL_WRITE) on a private file mapping, and write to each page while they
    /// are held
    ReadPinWrite(WriterArgs),
    /// Control, no finding: pin pages that KSM could merge, let KSM scan them, and write to each page
    Ksm(SmallPageArgs),
    /// Pin pages of a shared file, truncate the file to half, and punch a hole into the second quarter
    Truncate(MemoryArgs),
    /// Pin, and call MADV_DONTNEED on these pages and on locked pages behind them: the call drops the pinned pages, then
    /// fails
    DontneedFailed(SmallPageArgs),
    /// Control, no finding: pin locked pages, and call MADV_DONTNEED on them, which fails and drops nothing
    DontneedRefused(SmallPageArgs),
    /// Control, no finding: pin hugetlb pages, and call MADV_DONTNEED on the first 4 KiB, which drops nothing
    DontneedPartOfHugetlb(HugetlbArgs),
    /// Pin, close the io_uring, unmap at once: a note at most, because the kernel releases the pins meanwhile
    CloseUnmap(MemoryArgs),
    /// Pin, unmap, close the io_uring
    UnmapClose(MemoryArgs),
    /// Pin two adjoining buffers by one system call, release the second, and unmap the first
    AdjoiningKept(MemoryArgs),
    /// Pin two adjoining buffers by two system calls with arguments at the same address, release the second, and unmap
    /// the first
    AdjoiningCalls(MemoryArgs),
    /// Pin one buffer over private memory and a memfd by turns, and punch out the pages of the memfd
    SpanningPunch(SpanningArgs),
    /// Pin by a system call of 32-bit x86 (int 0x80), close an io_uring without pins whose descriptor is in the first
    /// register of a 64-bit call, and unmap
    CompatCallUnmap(SmallPageArgs),
    /// Pin pages of a transparent huge page, read another of its pages by process_vm_readv, and discard the pinned
    /// pages
    ForeignPin(ThpArgs),
    /// Pin every second page of a transparent huge page as a buffer of its own, and discard the second half of the
    /// buffers
    ManyBuffers(ManyBuffersArgs),
    /// A child pins through its parent's io_uring and exits; the pins last until the parent closes the ring
    ExitInheritedRing(MemoryArgs),
    /// A child pins, and executes a new program that keeps the io_uring; the pins last until the program ends
    ExecKeep(MemoryArgs),
    /// Control, no finding: a child pins, and executes a new program without the io_uring (FD_CLOEXEC)
    ExecCloexec(MemoryArgs),
    /// Pin without FOLL_LONGTERM and hold (a process_vm_readv that waits for a userfault)
    MissingLongterm(MemoryArgs),
    /// Pin without FOLL_LONGTERM, and unmap the second half while the pins are held
    ShortTermUnmap(MemoryArgs),
    /// Reference pages without pins (vmsplice into a pipe), fork, and write to each page in the parent
    ReferenceForkWrite(SmallPageArgs),
    /// One thread for each page blocks inside a pin call, before the page is pinned, all at the same time; then each
    /// thread pins its page once more
    ConcurrentPins(SmallPageArgs),
    /// Read by direct I/O from a network block device that does not answer, fork, write to each page in the parent, and
    /// let the device answer
    ReadForkWrite(SmallPageArgs),
    /// Pin, and install guard regions over the pages (MADV_GUARD_INSTALL)
    GuardInstall(SmallPageArgs),
    /// Pin, and write-protect by the ioctl PAGEMAP_SCAN
    ScanProtect(SmallPageArgs),
    /// Pin the second half of a shared file, and truncate the file to three quarters
    TruncatePart(MemoryArgs),
    /// Pin pages of a shared file, and map other pages of the file over the second half (remap_file_pages)
    RemapFilePages(SmallPageArgs),
    /// A child protects its pinned pages again and again; meanwhile pin, unmap, map new memory at the same address
    Flood(MemoryArgs),
    /// Control, no finding: take pins as in read-pin-write, and write to other memory
    QuietReadPinWrite(WriterArgs),
    /// Control, no finding: read as in read-fork-write, and write after the end of the read
    QuietReadForkWrite(SmallPageArgs),
    /// Control, no finding: pin a half, and install guard regions over the other half
    QuietGuardInstall(SmallPageArgs),
    /// Control, no finding: pin, and scan by PAGEMAP_SCAN without write protection
    QuietScan(SmallPageArgs),
    /// Control, no finding: pin the second half of a shared file, and punch a hole into the second quarter
    QuietTruncate(MemoryArgs),
    /// Control, no finding of this process: as in flood, without a change of the own mapping
    QuietFlood(MemoryArgs),
    /// Control, no finding: fork without pins, and write in parent and child
    QuietFork(MemoryArgs),
    /// Control, no finding: pin, then discard, protect and unmap the memory on both sides of the pinned range
    QuietUnmap(MemoryArgs),
    /// Control, no finding: pin, then make other memory read-only and writable again, and write to it
    QuietProtect(MemoryArgs),
    /// Control, no finding: pin, release, then protect, write, fork, move and unmap
    QuietRelease(MemoryArgs),
    /// Control, no finding: pin two adjoining buffers, release the second, and unmap it
    QuietPartialRelease(MemoryArgs),
    /// Control, no finding: reference pages, drain the pipe that references them, then fork, and write in
    /// parent and child
    QuietReference(MemoryArgs),
    /// Control, no finding: pin one buffer that maps the first pages of a memfd several times, and punch out the pages
    /// behind them
    QuietSpanningPunch(SpanningArgs),
    /// Control, no finding: pin pages of a transparent huge page, read another of its pages by process_vm_readv, and
    /// discard that page
    QuietForeignPin(ThpArgs),
    /// Control, no finding: pin every second page of a transparent huge page, and discard pages in between
    QuietManyBuffers(ManyBuffersArgs),
}

impl Scenario {
    /// Returns the name on the command line.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::ForkWriteParent(_) => "fork-write-parent",
            Self::ForkWriteChild(_) => "fork-write-child",
            Self::ProtectWrite(_) => "protect-write",
            Self::UnmapRemap(_) => "unmap-remap",
            Self::Dontneed(_) => "dontneed",
            Self::ProcessDontneed(_) => "process-dontneed",
            Self::Free(_) => "free",
            Self::Mremap(_) => "mremap",
            Self::MremapKeep(_) => "mremap-keep",
            Self::MapOver(_) => "map-over",
            Self::UffdWpWriters(_) => "uffd-wp-writers",
            Self::UffdWpStorm(_) => "uffd-wp-storm",
            Self::SoftDirty(_) => "soft-dirty",
            Self::ReadPinWrite(_) => "read-pin-write",
            Self::Ksm(_) => "ksm",
            Self::Truncate(_) => "truncate",
            Self::DontneedFailed(_) => "dontneed-failed",
            Self::DontneedRefused(_) => "dontneed-refused",
            Self::DontneedPartOfHugetlb(_) => "dontneed-part-of-hugetlb",
            Self::CloseUnmap(_) => "close-unmap",
            Self::UnmapClose(_) => "unmap-close",
            Self::AdjoiningKept(_) => "adjoining-kept",
            Self::AdjoiningCalls(_) => "adjoining-calls",
            Self::SpanningPunch(_) => "spanning-punch",
            Self::QuietSpanningPunch(_) => "quiet-spanning-punch",
            Self::CompatCallUnmap(_) => "compat-call-unmap",
            Self::ForeignPin(_) => "foreign-pin",
            Self::ManyBuffers(_) => "many-buffers",
            Self::ExitInheritedRing(_) => "exit-inherited-ring",
            Self::ExecKeep(_) => "exec-keep",
            Self::ExecCloexec(_) => "exec-cloexec",
            Self::MissingLongterm(_) => "missing-longterm",
            Self::ShortTermUnmap(_) => "short-term-unmap",
            Self::ReferenceForkWrite(_) => "reference-fork-write",
            Self::ConcurrentPins(_) => "concurrent-pins",
            Self::ReadForkWrite(_) => "read-fork-write",
            Self::GuardInstall(_) => "guard-install",
            Self::ScanProtect(_) => "scan-protect",
            Self::TruncatePart(_) => "truncate-part",
            Self::RemapFilePages(_) => "remap-file-pages",
            Self::Flood(_) => "flood",
            Self::QuietReadPinWrite(_) => "quiet-read-pin-write",
            Self::QuietReadForkWrite(_) => "quiet-read-fork-write",
            Self::QuietGuardInstall(_) => "quiet-guard-install",
            Self::QuietScan(_) => "quiet-scan",
            Self::QuietTruncate(_) => "quiet-truncate",
            Self::QuietFlood(_) => "quiet-flood",
            Self::QuietFork(_) => "quiet-fork",
            Self::QuietUnmap(_) => "quiet-unmap",
            Self::QuietProtect(_) => "quiet-protect",
            Self::QuietRelease(_) => "quiet-release",
            Self::QuietPartialRelease(_) => "quiet-partial-release",
            Self::QuietReference(_) => "quiet-reference",
            Self::QuietForeignPin(_) => "quiet-foreign-pin",
            Self::QuietManyBuffers(_) => "quiet-many-buffers",
        }
    }

    /// The memory of the scenario.
    pub(crate) fn memory(&self) -> MemoryArgs {
        match self {
            Self::UffdWpWriters(writing) => writing.memory.clone(),
            Self::UffdWpStorm(storm) => storm.memory.clone(),
            Self::ReadPinWrite(writing) | Self::QuietReadPinWrite(writing) => {
                MemoryArgs::small(writing.memory.pages, &writing.memory.hold)
            }
            Self::Ksm(small)
            | Self::ReadForkWrite(small)
            | Self::GuardInstall(small)
            | Self::ScanProtect(small)
            | Self::RemapFilePages(small)
            | Self::QuietReadForkWrite(small)
            | Self::QuietGuardInstall(small)
            | Self::QuietScan(small)
            | Self::ProcessDontneed(small)
            | Self::MremapKeep(small)
            | Self::DontneedFailed(small)
            | Self::DontneedRefused(small)
            | Self::ConcurrentPins(small)
            | Self::CompatCallUnmap(small)
            | Self::ReferenceForkWrite(small) => MemoryArgs::small(small.pages, &small.hold),
            Self::SpanningPunch(spanning) | Self::QuietSpanningPunch(spanning) => {
                MemoryArgs::small(spanning.pages, &spanning.hold)
            }
            Self::ForeignPin(thp) | Self::QuietForeignPin(thp) => thp.reserve.memory(thp.pages, Backing::Thp),
            Self::ManyBuffers(many) | Self::QuietManyBuffers(many) => {
                many.reserve.memory(many.pages, Backing::Thp)
            }
            Self::DontneedPartOfHugetlb(huge) => huge.reserve.memory(huge.pages, Backing::Hugetlb),
            Self::ForkWriteParent(memory)
            | Self::ForkWriteChild(memory)
            | Self::ProtectWrite(memory)
            | Self::UnmapRemap(memory)
            | Self::Dontneed(memory)
            | Self::Free(memory)
            | Self::Mremap(memory)
            | Self::MapOver(memory)
            | Self::SoftDirty(memory)
            | Self::Truncate(memory)
            | Self::TruncatePart(memory)
            | Self::QuietTruncate(memory)
            | Self::Flood(memory)
            | Self::QuietFlood(memory)
            | Self::CloseUnmap(memory)
            | Self::UnmapClose(memory)
            | Self::AdjoiningKept(memory)
            | Self::AdjoiningCalls(memory)
            | Self::ExitInheritedRing(memory)
            | Self::ExecKeep(memory)
            | Self::ExecCloexec(memory)
            | Self::MissingLongterm(memory)
            | Self::ShortTermUnmap(memory)
            | Self::QuietFork(memory)
            | Self::QuietUnmap(memory)
            | Self::QuietProtect(memory)
            | Self::QuietRelease(memory)
            | Self::QuietPartialRelease(memory)
            | Self::QuietReference(memory) => memory.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::{PinloadCli, PinloadCommand};

    #[test]
    fn each_scenario_is_named_as_on_the_command_line() {
        let cli = PinloadCli::command();
        let scenarios: Vec<_> = cli
            .find_subcommand("scenario")
            .unwrap()
            .get_subcommands()
            .map(|command| command.get_name().to_owned())
            .collect();
        assert_eq!(scenarios.len(), 55);
        for name in scenarios {
            let cli = PinloadCli::try_parse_from(["pinload", "scenario", &name, "--pages", "7"]).unwrap();
            let PinloadCommand::Scenario { scenario } = cli.command else {
                panic!("{name}")
            };
            assert_eq!((scenario.name(), scenario.memory().pages), (name.as_str(), 7));
        }
    }
}
