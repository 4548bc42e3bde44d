//! Explains one page.

use pintrace_common::scan::{MAPPING_ANON, MAPPING_FILE, MAPPING_KSM};
use pintrace_events::{Evidence, ProcessSeen};

use super::folio::{self, FolioPlace, FolioRead};
use super::mappers::{self, Mapper, Mappers};
use super::references::References;
use super::{Explainer, flags};
use crate::kernel_memory::KernelMemory as _;
use crate::kind::{MemoryKind, PageFlags};
use crate::open_files::Opener;
use crate::pids::{self, Pids};
use crate::pinned_folios::{self, FolioRun, NotPinned};
use crate::scan_result::{Candidate, ScanResult};
use crate::scanner::{Addresses, Progress, ScanError};

/// The reason why a page cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The frame is no memory.
    #[error("frame {pfn:#x} has no struct page: System RAM ends before frame {end:#x} (/proc/iomem)")]
    NoStructPage {
        /// The frame.
        pfn: u64,
        /// Frame after the last one of System RAM.
        end: u64,
    },
    /// The scan failed.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

/// The pins of one holder on the page's folio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinsOnPage {
    /// The process that the pins count for.
    pub process: ProcessSeen,
    /// What shows that the pins belong to the holder.
    pub evidence: Evidence,
    /// Subsystem of the pins; empty if unknown.
    pub subsystem: &'static str,
    /// All processes that have the file open; empty without a file.
    pub openers: Vec<Opener>,
    /// Number of pins on the folio.
    pub pins: u64,
}

/// The file whose page cache contains the page.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FileIdentity {
    /// Device as `major:minor` in hexadecimal, as /proc/PID/maps shows it.
    pub device: String,
    /// Number of the inode.
    pub inode: u64,
    /// Path, if a process maps the page.
    pub path: Option<String>,
}

/// Whether the kernel can migrate the page, and so unplug its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Migration {
    /// The page is free.
    Free,
    /// No reference stands in the way.
    Possible,
    /// Pins prevent it.
    Pinned,
    /// References that nothing explains prevent it while they last.
    Referenced,
    /// The page belongs to the kernel or to a driver. The kernel can migrate such pages of a few drivers alone.
    Kernel,
    /// The memory is broken (`PG_hwpoison`).
    Poisoned,
}

/// What is known of a page.
#[derive(Clone, Debug)]
pub struct PageExplained {
    /// Frame of the page.
    pub pfn: u64,
    /// The folio that contains the page.
    pub folio: FolioPlace,
    /// Names of the flags of the page (/proc/kpageflags); `None` if they cannot be read.
    pub flags: Option<Vec<&'static str>>,
    /// Kind of memory; `None` for a free page and for memory of the kernel.
    pub kind: Option<MemoryKind>,
    /// The page is exclusive to one process (`PG_anon_exclusive`); `None` for other than anonymous memory, and before
    /// 5.19.
    pub exclusive: Option<bool>,
    /// The file of the page; `None` for other memory.
    pub file: Option<FileIdentity>,
    /// The reference count, taken apart.
    pub references: References,
    /// The pins whose holder is known.
    pub holders: Vec<PinsOnPage>,
    /// Number of pins whose holder is unknown.
    pub unknown_pins: u64,
    /// Processes that may hold the pins whose holder is unknown.
    pub candidates: Vec<Candidate>,
    /// The reason why the folio counts as not pinned although it has 1024 references or more.
    pub not_pinned: Option<NotPinned>,
    /// The mappings of the page.
    pub mapped_by: Vec<Mapper>,
    /// Not all mappings were searched.
    pub more_mappings: bool,
    /// Whether the page can be migrated.
    pub migration: Migration,
    /// The pins changed between the scan and the reading of the folio, at each attempt.
    pub changed: bool,
}

/// Scans that are tried to get one during which the pins of the folio do not change.
const ATTEMPTS: usize = 3;

impl Explainer<'_> {
    /// Scans, and explains the page with a frame number.
    pub fn page(&mut self, pfn: u64, progress: Progress<'_>) -> Result<PageExplained, PageError> {
        let namespace = self.scanner.namespace;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let result = self.scanner.scan(Addresses::Skip, progress)?;
            let pids = match namespace {
                None => Pids::Same,
                Some(namespace) => {
                    let seen = self.scanner.object.tasks().map_err(ScanError::from)?;
                    let tasks = pids::tasks(&self.scanner.object, Some(&namespace), seen.unwrap_or_default());
                    Pids::of_tasks(Some(&namespace), &tasks)
                }
            };
            let explained = self.page_of(pfn, &result, &pids)?;
            if !explained.changed {
                return Ok(explained);
            }
            last = Some(explained);
        }
        last.ok_or_else(|| self.no_struct_page(pfn))
    }

    pub(super) fn no_struct_page(&self, pfn: u64) -> PageError {
        let end = self.scanner.ram_ranges.last().map_or(0, |range| range.end);
        PageError::NoStructPage { pfn, end }
    }

    /// Explains a page by the result of a scan.
    fn page_of(
        &self,
        pfn: u64,
        result: &ScanResult,
        by_initial_pid: &Pids,
    ) -> Result<PageExplained, PageError> {
        let scanner = &*self.scanner;
        let (memory, vmemmap) = (&scanner.object, scanner.vmemmap);
        let in_ram = scanner.ram_ranges.iter().any(|range| range.contains(&pfn));
        let folio = in_ram
            .then(|| folio::read(memory, &scanner.layout, vmemmap, pfn))
            .flatten()
            .ok_or_else(|| self.no_struct_page(pfn))?;
        let all_flags = PageFlags::open(&scanner.proc);
        let own_flags = all_flags.of(pfn);
        let head_flags = all_flags.of(folio.place.pfn).unwrap_or(0);
        let not_user = flags::KERNEL | flags::BUDDY | flags::RESERVED | flags::ZERO_PAGE;
        let of_kernel = head_flags & not_user != 0;
        let hugetlb = head_flags & flags::HUGE != 0;

        let head = folio.place.pfn;
        let holders = pins_on(result, head);
        let unknown_pins = runs_on(&result.unknown.runs, head);
        let (mut pins, mut not_pinned) = match pinned_folios::pins(&folio.found) {
            _ if of_kernel => (0, None),
            Ok(pins) => (pins, None),
            Err(_) if folio.found.refcount < scanner.layout.facts.pin_bias => (0, None),
            Err(why) => (0, Some(why)),
        };
        let ruled_out = result.implausible.iter().find(|one| one.pfn == head);
        if let Some(ruled_out) = ruled_out.filter(|one| one.why == NotPinned::Vmstat) {
            (pins, not_pinned) = (0, Some(ruled_out.why));
        }
        let attributed = holders.iter().map(|one| one.pins).sum::<u64>() + unknown_pins;

        let maps = if of_kernel {
            // The zero page is mapped without references, and the member means something else on pages of the kernel.
            Some(0)
        } else {
            folio.maps(memory, &scanner.layout, self.layout.large_maps, vmemmap, hugetlb)
        };
        let references = References::of(&folio, pins, maps, head_flags);
        let mappers = match &scanner.layout.rmap {
            Some(rmap) if !of_kernel => {
                let process = |initial| {
                    let pid = by_initial_pid.get(initial)?;
                    Some((pid, pintrace_kernel::process::folder(&scanner.proc, pid)))
                };
                mappers::find(memory, rmap, &folio, process)
            }
            _ => Mappers::default(),
        };
        let kind = match folio.found.mapping {
            _ if of_kernel || folio.found.refcount == 0 => None,
            _ if hugetlb => Some(MemoryKind::Hugetlb),
            MAPPING_ANON => Some(MemoryKind::Anon),
            MAPPING_FILE => Some(MemoryKind::File),
            MAPPING_KSM => Some(MemoryKind::Ksm),
            _ => Some(MemoryKind::Other),
        };
        Ok(PageExplained {
            pfn,
            folio: folio.place,
            flags: own_flags.map(|flags| {
                let merged = folio.found.mapping == MAPPING_KSM;
                flags::names(flags, self.layout.pg_anon_exclusive.is_some(), merged)
            }),
            kind,
            exclusive: kind.and_then(|_| self.exclusive(&folio)),
            file: self.file(&folio, of_kernel, &mappers.found),
            migration: migration(head_flags, own_flags.unwrap_or(0), kind, &references),
            references,
            candidates: if unknown_pins == 0 {
                Vec::new()
            } else {
                result.unknown.candidates.clone()
            },
            holders,
            unknown_pins,
            not_pinned,
            mapped_by: mappers.found,
            more_mappings: mappers.more,
            changed: attributed != u64::from(pins),
        })
    }

    /// Returns whether an anonymous page is exclusive. If the folio is mapped as a whole, the head page has the mark.
    fn exclusive(&self, folio: &FolioRead) -> Option<bool> {
        if folio.found.mapping != MAPPING_ANON {
            return None;
        }
        let bit = self.layout.pg_anon_exclusive?;
        let is_set = |pfn: u64| {
            let address = self.scanner.struct_page(pfn);
            let offset = u64::from(self.scanner.layout.facts.page_flags);
            let flags = self.scanner.object.word(address.wrapping_add(offset))?;
            Some(flags >> (bit & 63) & 1 == 1)
        };
        Some(is_set(folio.place.pfn)? || is_set(folio.place.pfn + folio.place.page)?)
    }

    /// Returns the file of a page, by `address_space.host`.
    fn file(&self, folio: &FolioRead, of_kernel: bool, mappers: &[Mapper]) -> Option<FileIdentity> {
        if of_kernel || folio.found.mapping != MAPPING_FILE {
            return None;
        }
        let (memory, path) = (&self.scanner.object, self.layout.inode?);
        let host = memory.pointer(folio.mapping.wrapping_add(path.host.into()))?;
        let inode = memory.word(host.wrapping_add(path.number.into()))?;
        let super_block = memory.pointer(host.wrapping_add(path.super_block.into()))?;
        let device = memory.half(super_block.wrapping_add(path.device.into()))?;
        let mut names = mappers.iter().map(|mapper| &mapper.name);
        Some(FileIdentity {
            // `MINORBITS` is 20 (include/linux/kdev_t.h).
            device: format!("{:02x}:{:02x}", device >> 20, device & 0xf_ffff),
            inode,
            path: names.find(|name| name.starts_with('/')).cloned(),
        })
    }
}

/// Returns the pins on the folio that begins at frame `head`, by holder.
fn pins_on(result: &ScanResult, head: u64) -> Vec<PinsOnPage> {
    let processes = result.processes.iter();
    let holders = processes.flat_map(|process| process.holders.iter().map(move |holder| (process, holder)));
    holders
        .map(|(process, holder)| PinsOnPage {
            process: process.process.clone(),
            evidence: holder.evidence,
            subsystem: holder.subsystem,
            openers: holder.openers.clone(),
            pins: runs_on(&holder.runs, head),
        })
        .filter(|one| one.pins > 0)
        .collect()
}

/// Returns the pins of runs on the folio that begins at frame `head`.
fn runs_on(runs: &[FolioRun], head: u64) -> u64 {
    let on = runs.iter().filter(|run| (run.pfn..run.end()).contains(&head));
    on.map(|run| u64::from(run.pins)).sum()
}

/// Returns whether the page can be migrated. `head` and `own` are the flags of the head page and of the page.
fn migration(head: u64, own: u64, kind: Option<MemoryKind>, references: &References) -> Migration {
    let flags = head | own;
    if flags & flags::HWPOISON != 0 {
        return Migration::Poisoned;
    }
    if flags & (flags::KERNEL | flags::RESERVED | flags::ZERO_PAGE) != 0 {
        return Migration::Kernel;
    }
    if flags & flags::BUDDY != 0 || references.total == 0 {
        return Migration::Free;
    }
    if references.pins > 0 {
        return Migration::Pinned;
    }
    match (kind, references.unexplained) {
        (None | Some(MemoryKind::Other), _) => Migration::Kernel,
        (_, Some(0)) => Migration::Possible,
        _ => Migration::Referenced,
    }
}

#[cfg(test)]
mod tests;
