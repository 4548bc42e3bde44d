//! A scan from end to end: struct pages, page tables, descriptors.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use aya::Btf;
use pintrace_common::scan::PAGE_STRUCT;

use pintrace_kernel::btf::KernelTypes;
use pintrace_kernel::facts::Roots;
use pintrace_kernel::layout::UnknownLayout;

use super::attribution;
use super::has_pinned::{self, ProcessTask};
use super::join::{Join, sum};
use super::kind::PageFlags;
use super::object::{Object, ObjectError};
use super::open_files::OpenFiles;
use super::page_tables::PageTables;
use super::pinned_folios::Folios;
use super::rmap::Owners;
use super::scan_result::{KindAmount, MemoryRead, ScanResult};
use super::vmemmap::{self, VmemmapError};
use pintrace_kernel::iomem::{self, IomemError};
use pintrace_kernel::scan_layout::{self, Layout};

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
    object: Object,
    layout: Layout,
    /// Address of the struct page of frame 0.
    vmemmap: u64,
    ram_ranges: Vec<Range<u64>>,
    proc: PathBuf,
    /// Bit of the flags of an mm that marks a pin; `None` if unknown.
    pinned_mask: Option<u64>,
}

/// A callback for the progress of a scan: number of frames read, number of all frames.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl Scanner {
    /// Loads the programs and finds the struct pages.
    pub fn start(types: &KernelTypes, btf: &Btf, roots: &Roots) -> Result<Self, ScanError> {
        let layout = scan_layout::layout(types)?;
        let object = Object::load(layout.facts, types, btf)?;
        let vmemmap = vmemmap::find(&object, &layout, &roots.proc)?;
        let pinned_mask = has_pinned::pinned_mask(&object, &layout)?;
        Ok(Self {
            ram_ranges: iomem::ranges(&roots.proc)?,
            object,
            layout,
            vmemmap,
            proc: roots.proc.clone(),
            pinned_mask,
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

    /// Scans once: struct pages, page tables and descriptors. If pinned folios remain that no pinning process maps,
    /// `thorough` also reads the page tables of the processes that never pinned.
    pub fn scan(&mut self, thorough: bool, progress: Progress<'_>) -> Result<ScanResult, ScanError> {
        let begin = Instant::now();
        let (folios, memory) = self.folios(progress)?;
        let mut result = ScanResult {
            memory,
            pinned: sum(folios.runs()),
            parts: KindAmount::of_runs(folios.runs()),
            implausible: folios.implausible.clone(),
            implausible_count: folios.implausible_count,
            ..ScanResult::default()
        };
        let all_processes = self.all_processes()?;
        let pinning_processes = self.pinning_processes(&mut result, &all_processes)?;
        let mut join = Join::new(&folios);
        let mut page_tables = PageTables::excluding(std::process::id());
        let pids =
            |processes: &[ProcessTask]| processes.iter().map(|process| process.pid).collect::<Vec<_>>();
        if !folios.is_empty() {
            page_tables.read(&self.proc, pids(&pinning_processes), &mut join);
            if thorough && join.unmapped_folios() != 0 {
                page_tables.read(&self.proc, pids(&all_processes), &mut join);
            }
        }
        result.processes_read = page_tables.read;
        result.unreadable = page_tables.unreadable;
        let open_files = OpenFiles {
            object: &self.object,
            layout: &self.layout,
            proc: &self.proc,
        };
        attribution::attribute(&mut result, join.finish(), &all_processes, &open_files);
        result.memory.took_ns = nanos(begin);
        Ok(result)
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

    /// Returns all processes: from the task iterator, or from /proc where the task iterator is missing.
    fn all_processes(&mut self) -> Result<Vec<ProcessTask>, ScanError> {
        Ok(match has_pinned::processes(&mut self.object, 0)? {
            Some(processes) => processes,
            None => processes_in_proc(&self.proc),
        })
    }

    /// Returns the processes that ever pinned. If these are unknown, returns all processes and gives the reason in
    /// `result`.
    fn pinning_processes(
        &mut self,
        result: &mut ScanResult,
        all_processes: &[ProcessTask],
    ) -> Result<Vec<ProcessTask>, ScanError> {
        let why = match (self.pinned_mask, self.object.without_tasks()) {
            (Some(mask), None) => {
                if let Some(processes) = has_pinned::processes(&mut self.object, mask)? {
                    return Ok(processes);
                }
                "this kernel has no task iterator".to_owned()
            }
            (_, Some(why)) => format!("the kernel refused the task iterator: {why}"),
            (None, None) => "the mm flag that marks a process that pinned is unknown".to_owned(),
        };
        result.all_processes = Some(why);
        Ok(all_processes.to_vec())
    }
}

/// Returns the processes of /proc, without their `task_struct`.
fn processes_in_proc(proc: &Path) -> Vec<ProcessTask> {
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let mut processes: Vec<_> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(|pid| ProcessTask { pid, task: 0 })
        .collect();
    processes.sort_by_key(|process| process.pid);
    processes
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
