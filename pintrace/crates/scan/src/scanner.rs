//! A scan from end to end: struct pages, tables of open files, page tables.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use aya::Btf;
use pintrace_common::facts::Facts;
use pintrace_common::scan::PAGE_STRUCT;

use pintrace_kernel::btf::KernelTypes;
use pintrace_kernel::facts::Roots;
use pintrace_kernel::layout::UnknownLayout;

use super::attribution::{self, Processes};
use super::claims::{self, Divided, FileTables};
use super::exclusivity::{self, Exclusivity};
use super::explain::folio::mark;
use super::join::{Join, sum};
use super::kind::PageFlags;
use super::object::{Object, ObjectError};
use super::open_files::{OpenFile, open_files};
use super::page_tables::PageTables;
use super::pids::{self, Pids, ProcNamespace};
use super::pinned_folios::{FolioRun, Folios};
use super::private_copies;
use super::releases::Releases;
use super::rmap::Owners;
use super::ruled_out;
use super::scan_result::{KindAmount, MemoryRead, ScanResult};
use super::tables::{TableReader, UnknownTable};
use super::tasks::{self, ProcessTask, Task};
use super::vmemmap::{self, VmemmapError};
use pintrace_kernel::iomem::{self, IomemError};
use pintrace_kernel::pid_namespace::{self, PidLayout};
use pintrace_kernel::scan_layout::{self, Layout};
use pintrace_kernel::vmstat::VmstatReader;

/// The reason why a scan failed.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The layout of a kernel structure is unknown.
    #[error(transparent)]
    Layout(#[from] UnknownLayout),
    /// The BPF programs cannot be loaded or run.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The struct pages cannot be found.
    #[error(transparent)]
    Vmemmap(#[from] VmemmapError),
    /// The ranges of System RAM cannot be read from /proc/iomem.
    #[error(transparent)]
    Iomem(#[from] IomemError),
}

/// The loaded programs and the facts that each scan needs.
pub struct Scanner {
    pub(crate) object: Object,
    pub(crate) layout: Layout,
    /// Address of the struct page of frame 0.
    pub(crate) vmemmap: u64,
    pub(crate) ram_ranges: Vec<Range<u64>>,
    pub(crate) proc: PathBuf,
    vmstat: VmstatReader,
    /// The pid namespace of /proc, if it is not the initial one.
    pub(crate) namespace: Option<ProcNamespace>,
    /// This process and /proc belong to the initial pid namespace.
    is_initial: bool,
    /// Bit of the flags of an mm that marks a pin; `None` if unknown.
    pinned_mask: Option<u64>,
    /// The functions by which open files are recognized, once a scan has found pins.
    pub(crate) releases: Option<Releases>,
}

/// A callback for the progress of a scan: number of frames read, number of all frames.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl Scanner {
    /// Loads the programs and finds the struct pages.
    pub fn start(types: &KernelTypes, btf: &Btf, roots: &Roots) -> Result<Self, ScanError> {
        let layout = scan_layout::layout(types)?;
        let object = Object::load(layout.facts, types, btf)?;
        let vmemmap = vmemmap::find(&object, &layout, &roots.proc)?;
        let pinned_mask = tasks::pinned_mask(&object, &layout)?;
        let own = object.probe_read(0)?.task;
        let namespace =
            PidLayout::of(types).and_then(|layout| ProcNamespace::find(&object, layout, own, &roots.proc));
        Ok(Self {
            namespace,
            is_initial: pid_namespace::is_initial(&roots.proc),
            ram_ranges: iomem::ranges(&roots.proc)?,
            object,
            layout,
            vmemmap,
            proc: roots.proc.clone(),
            vmstat: VmstatReader::new(&roots.proc),
            pinned_mask,
            releases: None,
        })
    }

    /// Reads all struct pages.
    pub fn folios(&mut self, progress: Progress<'_>) -> Result<(Folios, MemoryRead), ScanError> {
        // Memory hotplug may have added ranges. The old ranges stay if /proc/iomem cannot be read any more.
        if let Ok(ram_ranges) = iomem::ranges(&self.proc) {
            self.ram_ranges = ram_ranges;
        }
        let flags = PageFlags::open(&self.proc);
        let total = self.ram_ranges.iter().map(|range| range.end - range.start).sum();
        let mut memory = MemoryRead {
            ram_pages: total,
            ..MemoryRead::default()
        };
        let (mut folios, mut done) = (Folios::default(), 0);
        let begin = Instant::now();
        for range in &self.ram_ranges {
            let mut next = range.start;
            while next < range.end {
                let state = self.object.scan(self.vmemmap, next, range.end, &mut |found| {
                    folios.add(found, |pfn| flags.is_hugetlb(pfn));
                })?;
                memory.read += state.read;
                memory.stepped += state.stepped;
                memory.free += state.free;
                memory.absent += state.absent;
                // Each run advances by one frame at least; `max` ends the loop even if a run did not.
                next = state.next.max(next + 1);
                progress(done + (next.min(range.end) - range.start), total);
            }
            done += range.end - range.start;
        }
        memory.read_ns = nanos(begin);
        Ok((folios, memory))
    }

    /// Scans once: struct pages, the tables of open files, page tables.
    pub fn scan(&mut self, addresses: Addresses, progress: Progress<'_>) -> Result<ScanResult, ScanError> {
        let begin = Instant::now();
        let mut read = self.read(progress)?;
        if read.divided.contradicted > 0 {
            // A table changed between the struct pages and the table. A second reading settles nearly all cases.
            read = self.read(progress)?;
        }
        self.rule_out(&mut read);
        let PinnedRead {
            folios,
            memory,
            tasks,
            files,
            divided,
            mut result,
        } = read;
        result.memory = memory;
        result.contradicted = divided.contradicted;
        let all = tasks::processes(&tasks, u64::MAX);
        let processes = Processes {
            proc: &self.proc,
            all: &all,
        };
        attribution::add_tables(&mut result, divided.holders, &files, &processes);
        let mut mapped = BTreeMap::new();
        if !divided.rest.is_empty() {
            let pinning = tasks::processes(&tasks, self.mask(&mut result));
            let mut join = Join::new(&divided.rest);
            let mut page_tables = PageTables::excluding(pid_namespace::own_pid(&self.proc));
            page_tables.read(&self.proc, &pinning, &mut join);
            result.processes_read = page_tables.read;
            result.unreadable += page_tables.unreadable;
            let joined = join.finish();
            mapped = joined.addresses();
            attribution::add_mapped(&mut result, joined, &processes);
        }
        private_copies::add(&mut result, &mapped, &processes);
        if addresses == Addresses::Read {
            self.add_ranges(&folios, &all, &mut result);
        }
        attribution::sort(&mut result);
        result.hidden_processes = (!self.is_initial).then_some(pid_namespace::OUTSIDE);
        result.not_scanned = iomem::not_scanned(&self.proc);
        result.exclusivity = self.audit(&result);
        result.memory.took_ns = nanos(begin);
        Ok(result)
    }

    /// Checks that pinned anonymous folios are exclusive. `None` if the kernel does not mark exclusive pages.
    fn audit(&self, result: &ScanResult) -> Option<Exclusivity> {
        let bit = self.layout.facts.pg_anon_exclusive;
        let mut look = |pfn, order| mark(&self.object, &self.layout, self.vmemmap, pfn, order, bit);
        (bit != Facts::ABSENT).then(|| exclusivity::audit(result, &mut look))
    }

    /// Removes the folios that vmstat rules out.
    fn rule_out(&self, read: &mut PinnedRead) {
        if !ruled_out::is_possible(&read.divided) {
            return;
        }
        if let Some(vmstat) = self.vmstat.read() {
            let held = i128::from(vmstat.acquired) - i128::from(vmstat.released);
            let out = ruled_out::remove(&mut read.divided, held);
            let result = &mut read.result;
            result.implausible_count += out.count();
            result.implausible.extend(out.implausible());
            result.pinned -= sum(&out.runs);
            for part in &mut result.parts {
                let of_part = |run: &&FolioRun| run.order == part.order && run.kind == part.kind;
                part.amount -= sum(out.runs.iter().filter(of_part));
            }
            result.parts.retain(|part| !part.amount.is_empty());
        }
    }

    /// Reads struct pages and the tables of open files.
    fn read(&mut self, progress: Progress<'_>) -> Result<PinnedRead, ScanError> {
        let (folios, memory) = self.folios(progress)?;
        let mut read = PinnedRead {
            result: ScanResult {
                pinned: sum(folios.runs()),
                parts: KindAmount::of_runs(folios.runs()),
                implausible: folios.implausible.clone(),
                implausible_count: folios.implausible_count,
                ..ScanResult::default()
            },
            folios,
            memory,
            tasks: Vec::new(),
            files: Vec::new(),
            divided: Divided::default(),
        };
        if read.folios.is_empty() {
            return Ok(read);
        }
        read.tasks = match self.object.tasks()? {
            Some(seen) => pids::tasks(&self.object, self.namespace.as_ref(), seen),
            None => tasks::in_proc(&self.proc),
        };
        if self.releases.is_none() {
            self.releases = Some(Releases::of_samples(&self.object, &self.layout));
        }
        self.read_tables(&mut read)?;
        if let Some(releases) = &mut self.releases
            && !releases.complete
            && !read.divided.rest.is_empty()
        {
            releases.add_symbols(&self.proc);
            self.read_tables(&mut read)?;
        }
        Ok(read)
    }

    /// Reads the tables of the open files whose kinds are known.
    fn read_tables(&mut self, read: &mut PinnedRead) -> Result<(), ScanError> {
        let Some(releases) = &self.releases else {
            return Ok(());
        };
        if releases.hidden && self.layout.tables.udmabuf.is_some() {
            read.result.hidden_files =
                Some("kernel.kptr_restrict hides the symbols by which a udmabuf is recognized");
        }
        let pids = Pids::of_tasks(self.namespace.as_ref(), &read.tasks);
        read.files = open_files(
            &mut self.object,
            &self.layout,
            &releases.kinds,
            &read.tasks,
            &pids,
        )?;
        let mut reader = TableReader {
            memory: &self.object,
            layout: &self.layout,
            vmemmap: self.vmemmap,
            budget: self.table_budget(),
            release_udmabuf: releases.udmabuf,
        };
        let mut tables = Vec::new();
        read.result.unreadable.tables = 0;
        for (file, open) in read.files.iter().enumerate() {
            match reader.read(open) {
                Ok(of_file) => tables.push(FileTables {
                    file,
                    tables: of_file,
                }),
                Err(UnknownTable) => read.result.unreadable.tables += 1,
            }
        }
        read.divided = claims::divide(&read.folios, tables);
        Ok(())
    }

    /// Returns the number of words that the tables of one scan may take.
    pub(crate) fn table_budget(&self) -> u64 {
        let pages: u64 = self.ram_ranges.iter().map(|range| range.end - range.start).sum();
        pages.saturating_mul(WORDS_PER_PAGE)
    }

    /// Adds the addresses at which the holders map pinned pages.
    fn add_ranges(&self, folios: &Folios, all: &[ProcessTask], result: &mut ScanResult) {
        let holds = |process: &&ProcessTask| {
            let mut processes = result.processes.iter();
            processes.any(|holder| holder.process.pid.0 == process.pid)
        };
        let holding: Vec<_> = all.iter().filter(holds).copied().collect();
        let mut join = Join::new(folios);
        let mut page_tables = PageTables::excluding(pid_namespace::own_pid(&self.proc));
        page_tables.read(&self.proc, &holding, &mut join);
        result.unreadable += page_tables.unreadable;
        for mapped in join.finish().processes {
            let mut processes = result.processes.iter_mut();
            if let Some(process) = processes.find(|process| process.process.pid.0 == mapped.pid) {
                process.ranges = mapped.ranges;
                process.more_ranges = mapped.more_ranges;
            }
        }
    }

    /// Returns the address of a frame's struct page.
    pub fn struct_page(&self, pfn: u64) -> u64 {
        self.vmemmap + pfn * PAGE_STRUCT as u64
    }

    /// Returns the path of /proc.
    pub fn proc(&self) -> &Path {
        &self.proc
    }

    /// Returns for each frame the pid of a process that maps the frame, or 0 if no process is found. Follows the
    /// kernel's reverse map, which can be read when page tables can no longer be read.
    pub fn owners(&self, frames: impl Iterator<Item = u64>) -> Vec<u32> {
        let Some(rmap) = &self.layout.rmap else {
            return frames.map(|_| 0).collect();
        };
        let mut owners = Owners::new(&self.object, rmap);
        frames
            .map(|pfn| owners.of(self.struct_page(pfn)).unwrap_or(0))
            .collect()
    }

    /// Returns the bits of the mm flags that mark a process that ever pinned. If the bits are unknown, returns all bits,
    /// and gives the reason in `result`.
    fn mask(&self, result: &mut ScanResult) -> u64 {
        let why = match (self.pinned_mask, self.object.without_tasks()) {
            (Some(mask), None) => return mask,
            (_, Some(why)) => format!("the kernel refused the task iterator: {why}"),
            (None, None) => "the mm flag that marks a process that pinned is unknown".to_owned(),
        };
        result.all_processes = Some(why);
        u64::MAX
    }
}

/// Whether a scan reads the addresses at which processes map pinned pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// The addresses are read, which takes long for a process with a large address space.
    Read,
    /// The addresses are not read.
    Skip,
}

/// Words of tables that a scan may read for each page of memory.
const WORDS_PER_PAGE: u64 = 4;

/// Struct pages, tasks and tables of one reading.
struct PinnedRead {
    folios: Folios,
    memory: MemoryRead,
    tasks: Vec<Task>,
    files: Vec<OpenFile>,
    divided: Divided,
    result: ScanResult,
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
