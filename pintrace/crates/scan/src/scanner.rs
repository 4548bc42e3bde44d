//! A scan from end to end: struct pages, page tables, descriptors.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use aya::Btf;
use pintrace_common::scan::PAGE_STRUCT;

use pintrace_events::ProcessSeen;
use pintrace_events::units::Pid;
use pintrace_kernel::btf::KernelTypes;
use pintrace_kernel::facts::Roots;
use pintrace_kernel::layout::UnknownLayout;

use super::has_pinned::{self, ProcessTask};
use super::join::{Join, Joined, MappedFolios, sum};
use super::kind::{MemoryKind, PageFlags};
use super::object::{Object, ObjectError};
use super::page_tables::PageTables;
use super::pinned_folios::{FolioRun, Folios};
use super::rmap::Owners;
use super::scan_result::{KindAmount, MemoryRead, ScanHolder, ScanResult, UnmappedPins, Unreadable};
use super::unmapped::{self, OpenDescriptor};
use super::vmemmap::{self, VmemmapError};
use pintrace_kernel::descriptors::{self, Descriptor};
use pintrace_kernel::iomem::{self, IomemError};
use pintrace_kernel::scan_layout::{self, Layout};

/// Why there is no scan.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The kernel's structures are not known.
    #[error(transparent)]
    Layout(#[from] UnknownLayout),
    /// The programs do not run.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The struct pages cannot be found.
    #[error(transparent)]
    Vmemmap(#[from] VmemmapError),
    /// It is not known where memory is.
    #[error(transparent)]
    Iomem(#[from] IomemError),
}

/// Ready to look.
pub struct Scanner {
    object: Object,
    layout: Layout,
    vmemmap: u64,
    ram_ranges: Vec<Range<u64>>,
    proc: PathBuf,
    mask: Option<u64>,
}

/// Told how far a scan is: frames done, and all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl Scanner {
    /// Loads the programs and finds the struct pages.
    pub fn start(types: &KernelTypes, btf: &Btf, roots: &Roots) -> Result<Self, ScanError> {
        let layout = scan_layout::layout(types)?;
        let object = Object::load(layout.facts, types, btf)?;
        let vmemmap = vmemmap::find(&object, &layout, &roots.proc)?;
        let mask = has_pinned::pinned_mask(&object, &layout)?;
        Ok(Self {
            ram_ranges: iomem::ranges(&roots.proc)?,
            object,
            layout,
            vmemmap,
            proc: roots.proc.clone(),
            mask,
        })
    }

    /// Reads all struct pages.
    pub fn folios(&mut self, progress: Progress<'_>) -> Result<(Folios, MemoryRead), ScanError> {
        // Memory may have been added since; where the list may no longer be read, the old one stands.
        if let Ok(ram_ranges) = iomem::ranges(&self.proc) {
            self.ram_ranges = ram_ranges;
        }
        let flags = PageFlags::open(&self.proc);
        let total = self.ram_ranges.iter().map(|range| range.end - range.start).sum();
        let mut memory = MemoryRead {
            ram_pages: total,
            ..MemoryRead::default()
        };
        let (mut folios, mut before) = (Folios::default(), 0);
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
                // It always goes on; if it did not, this would never end.
                next = state.next.max(next + 1);
                progress(before + (next.min(range.end) - range.start), total);
            }
            before += range.end - range.start;
        }
        memory.read_ns = nanos(begin);
        Ok((folios, memory))
    }

    /// Looks at everything. `thorough` also reads the page tables of processes that never pinned if there is
    /// something that nobody else maps.
    pub fn scan(&mut self, thorough: bool, progress: Progress<'_>) -> Result<ScanResult, ScanError> {
        let begin = Instant::now();
        let (folios, memory) = self.folios(progress)?;
        let mut result = ScanResult {
            memory,
            pinned: sum(folios.runs()),
            parts: parts(folios.runs()),
            implausible: folios.implausible.clone(),
            implausible_count: folios.implausible_count,
            ..ScanResult::default()
        };
        let everybody = self.everybody()?;
        let pinners = self.pinners(&mut result, &everybody)?;
        let mut join = Join::new(&folios);
        let mut page_tables = PageTables::without(std::process::id());
        let pids =
            |processes: &[ProcessTask]| processes.iter().map(|process| process.pid).collect::<Vec<_>>();
        if !folios.is_empty() {
            page_tables.read(&self.proc, pids(&pinners), &mut join);
            if thorough && join.unowned() != 0 {
                page_tables.read(&self.proc, pids(&everybody), &mut join);
            }
        }
        result.processes_read = page_tables.read;
        result.unreadable = page_tables.unreadable;
        let joined = join.finish();
        self.attribute(&mut result, joined, &everybody);
        result.memory.took_ns = nanos(begin);
        Ok(result)
    }

    /// The address of a frame's struct page.
    pub fn struct_page(&self, pfn: u64) -> u64 {
        self.vmemmap + pfn * PAGE_STRUCT as u64
    }

    /// Where /proc is.
    pub fn proc(&self) -> &Path {
        &self.proc
    }

    /// The process that maps each of these frames, by the kernel's reverse map: for when page tables may no longer be
    /// read. 0 where none is found.
    pub fn owners(&self, frames: impl Iterator<Item = u64>) -> Vec<u32> {
        let Some(rmap) = &self.layout.rmap else {
            return frames.map(|_| 0).collect();
        };
        let mut owners = Owners::new(&self.object, rmap);
        frames
            .map(|pfn| owners.of(self.struct_page(pfn)).unwrap_or(0))
            .collect()
    }

    /// All processes; those of /proc where the kernel has no task iterator.
    fn everybody(&mut self) -> Result<Vec<ProcessTask>, ScanError> {
        Ok(match has_pinned::processes(&mut self.object, 0)? {
            Some(processes) => processes,
            None => listed(&self.proc),
        })
    }

    /// Those that ever pinned.
    fn pinners(
        &mut self,
        result: &mut ScanResult,
        everybody: &[ProcessTask],
    ) -> Result<Vec<ProcessTask>, ScanError> {
        let why = match (self.mask, self.object.without_tasks()) {
            (Some(mask), None) => {
                if let Some(pinners) = has_pinned::processes(&mut self.object, mask)? {
                    return Ok(pinners);
                }
                "this kernel has no task iterator".to_owned()
            }
            (_, Some(why)) => format!("the task iterator is refused: {why}"),
            (None, None) => "the mark that the kernel gives to those is not known".to_owned(),
        };
        result.all_processes = Some(why);
        Ok(everybody.to_vec())
    }

    fn attribute(&self, result: &mut ScanResult, joined: Joined, everybody: &[ProcessTask]) {
        let Joined {
            shares,
            owned,
            unmapped_pins: runs,
        } = joined;
        let unmapped = sum(&runs);
        let holding: BTreeSet<u32> = shares.iter().map(|share| share.pid).collect();
        let mut opens = Vec::new();
        for process in everybody {
            if !unmapped.is_empty() || holding.contains(&process.pid) {
                self.descriptors(*process, &mut opens, &mut result.unreadable);
            }
        }
        let mapped = shares
            .iter()
            .map(|share| (share.pid, share.counted.pages))
            .collect();
        let given = unmapped::assign(&opens, &mapped, unmapped.pages);
        result.owned = owned;
        result.owned.extend(unmapped::divide(&runs, &given));
        result.unmapped_pins = UnmappedPins {
            unmapped,
            explained: given.values().sum(),
            parts: parts(&runs),
            runs,
            candidates: Vec::new(),
        };
        let mut by_pid: BTreeMap<u32, ScanHolder> = BTreeMap::new();
        for share in shares {
            by_pid.insert(share.pid, self.holder(share));
        }
        for (pid, pages) in given {
            let holder = by_pid.entry(pid).or_insert_with(|| ScanHolder {
                process: self.seen(pid),
                ..ScanHolder::default()
            });
            holder.by_descriptor = pages;
        }
        let remain = result.unmapped_pins.pages() != 0;
        let mut candidates: BTreeMap<u32, Vec<Descriptor>> = BTreeMap::new();
        for open in opens {
            match by_pid.get_mut(&open.pid) {
                Some(holder) => holder.descriptors.push(open.descriptor),
                None if remain => candidates.entry(open.pid).or_default().push(open.descriptor),
                None => {}
            }
        }
        result.unmapped_pins.candidates = candidates
            .into_iter()
            .map(|(pid, descriptors)| (self.seen(pid), descriptors))
            .collect();
        result.holders = by_pid.into_values().collect();
        result
            .holders
            .sort_by_key(|holder| std::cmp::Reverse((holder.pages(), holder.mapped.pages)));
    }

    fn holder(&self, share: MappedFolios) -> ScanHolder {
        ScanHolder {
            process: self.seen(share.pid),
            mapped: share.all,
            shared: share.shared,
            counted: share.counted,
            by_descriptor: 0,
            parts: share
                .parts
                .into_iter()
                .map(|((kind, order), amount)| KindAmount { kind, order, amount })
                .collect(),
            ranges: share.mapped,
            more_ranges: share.more_mapped,
            descriptors: Vec::new(),
        }
    }

    fn seen(&self, pid: u32) -> ProcessSeen {
        pintrace_kernel::process::read(&self.proc, pid).unwrap_or(ProcessSeen {
            pid: Pid(pid),
            ..ProcessSeen::default()
        })
    }

    /// The descriptors of a process that can hold pins; which sockets are AF_XDP is read from the kernel's memory.
    fn descriptors(
        &self,
        process: ProcessTask,
        opens: &mut Vec<OpenDescriptor>,
        unreadable: &mut Unreadable,
    ) {
        let Some(seen) = descriptors::read(&self.proc, process.pid) else {
            return;
        };
        unreadable.descriptors += seen.unread;
        let file = |fd: u32| match process.task {
            0 => None,
            task => vmemmap::file(&self.object, &self.layout, task, u64::from(fd)),
        };
        let known = seen.known.into_iter().map(|descriptor| OpenDescriptor {
            pid: process.pid,
            file: file(descriptor.fd).unwrap_or(0),
            descriptor,
        });
        opens.extend(known);
        let sockets = seen.sockets.into_iter().filter_map(|fd| {
            let file = file(fd)?;
            let pages = self.xdp_pages(file)?;
            Some(OpenDescriptor {
                pid: process.pid,
                file,
                descriptor: Descriptor {
                    kind: "af_xdp".to_owned(),
                    fd,
                    pages: Some(pages),
                },
            })
        });
        opens.extend(sockets);
    }

    /// Pages of an AF_XDP socket's memory; `None` if it is no such socket, or has none.
    fn xdp_pages(&self, file: u64) -> Option<u64> {
        let path = &self.layout.path;
        let (umem, pages) = path.xdp?;
        let read = |address| self.object.read_u64(address);
        let socket = read(file + u64::from(path.file_private))?;
        let sock = read(socket + u64::from(path.socket_sk))?;
        let family = read(sock + u64::from(path.sock_family))? & 0xffff;
        if family != u64::from(libc::AF_XDP.unsigned_abs()) {
            return None;
        }
        let umem = read(sock + u64::from(umem)).filter(|umem| *umem != 0)?;
        Some(read(umem + u64::from(pages))? & 0xffff_ffff)
    }
}

/// The processes of /proc, of whom the kernel's own structures are not known.
fn listed(proc: &Path) -> Vec<ProcessTask> {
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let mut processes: Vec<_> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(|pid| ProcessTask { pid, task: 0 })
        .collect();
    processes.sort_by_key(|process| process.pid);
    processes
}

fn parts(runs: &[FolioRun]) -> Vec<KindAmount> {
    let mut parts: BTreeMap<(MemoryKind, u8), Vec<&FolioRun>> = BTreeMap::new();
    for run in runs {
        parts.entry((run.kind, run.order)).or_default().push(run);
    }
    let part = |((kind, order), runs): ((MemoryKind, u8), Vec<&FolioRun>)| KindAmount {
        kind,
        order,
        amount: sum(runs),
    };
    parts.into_iter().map(part).collect()
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
