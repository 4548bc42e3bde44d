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

use super::adopt::{self, Open};
use super::anchor::{self, AnchorError};
use super::found::{Folios, Run};
use super::join::{Join, Joined, Share, sum};
use super::kind::{Kind, PageFlags};
use super::look::{Holder, Look, Memory, Orphans, Part, Unseen};
use super::mms::{self, Process};
use super::object::{Object, ObjectError};
use super::rmap::Owners;
use super::survey::Survey;
use pintrace_kernel::descriptors::{self, Descriptor};
use pintrace_kernel::ram::{self, RamError};
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
    Anchor(#[from] AnchorError),
    /// It is not known where memory is.
    #[error(transparent)]
    Ram(#[from] RamError),
}

/// Ready to look.
pub struct Scanner {
    object: Object,
    layout: Layout,
    vmemmap: u64,
    ram: Vec<Range<u64>>,
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
        let vmemmap = anchor::find(&object, &layout, &roots.proc)?;
        let mask = mms::pinned_mask(&object, &layout)?;
        Ok(Self {
            ram: ram::ranges(&roots.proc)?,
            object,
            layout,
            vmemmap,
            proc: roots.proc.clone(),
            mask,
        })
    }

    /// Reads all struct pages.
    pub fn folios(&mut self, progress: Progress<'_>) -> Result<(Folios, Memory), ScanError> {
        // Memory may have been added since; where the list may no longer be read, the old one stands.
        if let Ok(ram) = ram::ranges(&self.proc) {
            self.ram = ram;
        }
        let flags = PageFlags::open(&self.proc);
        let total = self.ram.iter().map(|range| range.end - range.start).sum();
        let mut memory = Memory {
            ram_pages: total,
            ..Memory::default()
        };
        let (mut folios, mut before) = (Folios::default(), 0);
        let begin = Instant::now();
        for range in &self.ram {
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
    pub fn look(&mut self, thorough: bool, progress: Progress<'_>) -> Result<Look, ScanError> {
        let begin = Instant::now();
        let (folios, memory) = self.folios(progress)?;
        let mut look = Look {
            memory,
            pinned: sum(folios.runs()),
            parts: parts(folios.runs()),
            doubtful: folios.doubtful.clone(),
            doubtful_count: folios.doubtful_count,
            ..Look::default()
        };
        let everybody = self.everybody()?;
        let pinners = self.pinners(&mut look, &everybody)?;
        let mut join = Join::new(&folios);
        let mut survey = Survey::without(std::process::id());
        let pids = |processes: &[Process]| processes.iter().map(|process| process.pid).collect::<Vec<_>>();
        if !folios.is_empty() {
            survey.read(&self.proc, pids(&pinners), &mut join);
            if thorough && join.unowned() != 0 {
                survey.read(&self.proc, pids(&everybody), &mut join);
            }
        }
        look.processes_read = survey.read;
        look.unseen = survey.unseen;
        let joined = join.finish();
        self.attribute(&mut look, joined, &everybody);
        look.memory.took_ns = nanos(begin);
        Ok(look)
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
    fn everybody(&mut self) -> Result<Vec<Process>, ScanError> {
        Ok(match mms::processes(&mut self.object, 0)? {
            Some(processes) => processes,
            None => listed(&self.proc),
        })
    }

    /// Those that ever pinned.
    fn pinners(&mut self, look: &mut Look, everybody: &[Process]) -> Result<Vec<Process>, ScanError> {
        let why = match (self.mask, self.object.without_tasks()) {
            (Some(mask), None) => {
                if let Some(pinners) = mms::processes(&mut self.object, mask)? {
                    return Ok(pinners);
                }
                "this kernel has no task iterator".to_owned()
            }
            (_, Some(why)) => format!("the task iterator is refused: {why}"),
            (None, None) => "the mark that the kernel gives to those is not known".to_owned(),
        };
        look.all_processes = Some(why);
        Ok(everybody.to_vec())
    }

    fn attribute(&self, look: &mut Look, joined: Joined, everybody: &[Process]) {
        let Joined {
            shares,
            owned,
            orphans: runs,
        } = joined;
        let unmapped = sum(&runs);
        let holding: BTreeSet<u32> = shares.iter().map(|share| share.pid).collect();
        let mut opens = Vec::new();
        for process in everybody {
            if !unmapped.is_empty() || holding.contains(&process.pid) {
                self.descriptors(*process, &mut opens, &mut look.unseen);
            }
        }
        let mapped = shares
            .iter()
            .map(|share| (share.pid, share.counted.pages))
            .collect();
        let given = adopt::assign(&opens, &mapped, unmapped.pages);
        look.owned = owned;
        look.owned.extend(adopt::divide(&runs, &given));
        look.orphans = Orphans {
            unmapped,
            explained: given.values().sum(),
            parts: parts(&runs),
            runs,
            candidates: Vec::new(),
        };
        let mut by_pid: BTreeMap<u32, Holder> = BTreeMap::new();
        for share in shares {
            by_pid.insert(share.pid, self.holder(share));
        }
        for (pid, pages) in given {
            let holder = by_pid.entry(pid).or_insert_with(|| Holder {
                process: self.seen(pid),
                ..Holder::default()
            });
            holder.by_descriptor = pages;
        }
        let remain = look.orphans.pages() != 0;
        let mut candidates: BTreeMap<u32, Vec<Descriptor>> = BTreeMap::new();
        for open in opens {
            match by_pid.get_mut(&open.pid) {
                Some(holder) => holder.descriptors.push(open.descriptor),
                None if remain => candidates.entry(open.pid).or_default().push(open.descriptor),
                None => {}
            }
        }
        look.orphans.candidates = candidates
            .into_iter()
            .map(|(pid, descriptors)| (self.seen(pid), descriptors))
            .collect();
        look.holders = by_pid.into_values().collect();
        look.holders
            .sort_by_key(|holder| std::cmp::Reverse((holder.pages(), holder.mapped.pages)));
    }

    fn holder(&self, share: Share) -> Holder {
        Holder {
            process: self.seen(share.pid),
            mapped: share.all,
            shared: share.shared,
            counted: share.counted,
            by_descriptor: 0,
            parts: share
                .parts
                .into_iter()
                .map(|((kind, order), amount)| Part { kind, order, amount })
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
    fn descriptors(&self, process: Process, opens: &mut Vec<Open>, unseen: &mut Unseen) {
        let Some(seen) = descriptors::read(&self.proc, process.pid) else {
            return;
        };
        unseen.descriptors += seen.unread;
        let file = |fd: u32| match process.task {
            0 => None,
            task => anchor::file(&self.object, &self.layout, task, u64::from(fd)),
        };
        let known = seen.known.into_iter().map(|descriptor| Open {
            pid: process.pid,
            file: file(descriptor.fd).unwrap_or(0),
            descriptor,
        });
        opens.extend(known);
        let sockets = seen.sockets.into_iter().filter_map(|fd| {
            let file = file(fd)?;
            let pages = self.xdp_pages(file)?;
            Some(Open {
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
fn listed(proc: &Path) -> Vec<Process> {
    let entries = std::fs::read_dir(proc).into_iter().flatten().flatten();
    let mut processes: Vec<_> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .map(|pid| Process { pid, task: 0 })
        .collect();
    processes.sort_by_key(|process| process.pid);
    processes
}

fn parts(runs: &[Run]) -> Vec<Part> {
    let mut parts: BTreeMap<(Kind, u8), Vec<&Run>> = BTreeMap::new();
    for run in runs {
        parts.entry((run.kind, run.order)).or_default().push(run);
    }
    let part = |((kind, order), runs): ((Kind, u8), Vec<&Run>)| Part {
        kind,
        order,
        amount: sum(runs),
    };
    parts.into_iter().map(part).collect()
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
