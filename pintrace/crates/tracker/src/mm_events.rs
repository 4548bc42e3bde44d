//! Events of the finding hooks: each mapping change, and the totals of copies and flush windows that changed.

use std::path::PathBuf;

use hashbrown::HashMap;

use pintrace_common::ledger::EXTENT_BIT;
use pintrace_common::mm_events::{
    self, CowKey, CowStats, SuppressedChanges, WindowKey, WindowStats, cause, cow_kind, mapping_change,
};

use pintrace_events::units::{AccountId, Nanos, Pid, Tid};
use pintrace_events::{
    AddressSpaceId, Body, Cause, ChangesSuppressed, CowSampled, FlushCheck, FollGetReference, MappingChange,
    MappingChanged, MmId, RangeIn, WindowsSampled,
};
use pintrace_source::ledger::{Ledger, LedgerError};
use pintrace_source::trace_source::TraceSource;

use super::accounts::{Accounts, comm};
use super::emitter::Emitter;

/// Totals as last emitted, and the latest mapping change of each thread.
pub(super) struct MmEvents {
    proc: PathBuf,
    /// Copies by owner and kind, each with its id in the stream.
    copies: HashMap<CowKey, (u32, CowStats)>,
    windows: HashMap<WindowKey, WindowStats>,
    check: FlushCheck,
    suppressed: HashMap<u32, SuppressedChanges>,
    next: u32,
    /// Truncations whose first record was emitted, by thread: `address_space` and offset.
    truncated: HashMap<u64, (u64, u64)>,
    /// Advice that was emitted for a vma, by thread. The record of the whole madvise call may follow.
    advised: HashMap<u64, MappingChange>,
}

/// Most threads whose latest mapping change is kept. A change that is no longer kept is emitted twice.
const THREADS: usize = 1024;

/// Keeps the latest mapping change of a thread.
fn keep<T>(latest: &mut HashMap<u64, T>, thread: u64, change: T) {
    if latest.len() >= THREADS {
        latest.clear();
    }
    latest.insert(thread, change);
}

impl MmEvents {
    pub(super) fn new(proc: PathBuf) -> Self {
        Self {
            proc,
            copies: HashMap::new(),
            windows: HashMap::new(),
            check: FlushCheck::default(),
            suppressed: HashMap::new(),
            next: 0,
            truncated: HashMap::new(),
            advised: HashMap::new(),
        }
    }

    /// Returns true for the second record of a truncation. The kernel unmaps the truncated range twice: before and
    /// after the kernel drops the pages (`truncate_pagecache`, mm/truncate.c; `shmem_setattr`, mm/shmem.c).
    fn is_repeated_truncation(&mut self, record: &mm_events::MappingChanged) -> bool {
        if record.header.id != mapping_change::FILE || record.detail == 0 {
            return false;
        }
        let this = (record.within, record.address);
        if self.truncated.remove(&record.pid_tgid) == Some(this) {
            return true;
        }
        keep(&mut self.truncated, record.pid_tgid, this);
        false
    }

    /// Returns true for the record of an madvise call whose vmas had records already.
    fn is_repeated_advice(&mut self, record: &mm_events::MappingChanged, change: MappingChange) -> bool {
        match record.header.id {
            mapping_change::ADVICE => self.advised.remove(&record.pid_tgid) == Some(change),
            mapping_change::ADVICE_FOR_VMA => {
                keep(&mut self.advised, record.pid_tgid, change);
                false
            }
            _ => false,
        }
    }

    /// Emits a mapping change.
    pub(super) fn mapping_changed(
        &mut self,
        record: &mm_events::MappingChanged,
        after_loss: bool,
        ledger: &Ledger,
        out: &mut Emitter,
    ) {
        let time = Nanos(record.header.time_ns);
        let Some(change) = change_of(record) else { return };
        if self.is_repeated_truncation(record) || self.is_repeated_advice(record, change) {
            return;
        }
        let stack = out.stack(time, record.stack, ledger);
        let (pid, tid) = task(record.pid_tgid);
        let event = MappingChanged {
            within: match change {
                MappingChange::Truncate => RangeIn::AddressSpace(AddressSpaceId(record.within)),
                _ => RangeIn::Mm(MmId(record.within)),
            },
            what: change,
            address: record.address,
            end: record.end,
            pages: record.pages,
            pid,
            tid,
            comm: comm(&record.comm),
            stack,
            after_loss: after_loss || record.unmaps_suppressed != 0,
        };
        out.push(time, Body::MappingChanged(event));
    }

    /// Emits totals of copies and flush windows that changed. The caller samples accounts and extents before.
    pub(super) fn sample(
        &mut self,
        now: Nanos,
        source: &mut TraceSource,
        accounts: &mut Accounts,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        for (key, copies) in source.mm_events_mut().cow()? {
            let changed = self.sample_cow(now, key, &copies, source.ledger(), accounts, out)?;
            if !changed && self.is_over(key, source.ledger())? {
                self.copies.remove(&key);
                source.mm_events_mut().remove_cow(key)?;
            }
        }
        let mut gone = Vec::new();
        for (key, windows) in source.mm_events_mut().windows()? {
            if self.windows.get(&key) != Some(&windows) {
                out.push(now, Body::WindowsSampled(Box::new(windows_event(key, &windows))));
                self.windows.insert(key, windows);
            } else if !self.proc.join(key.tgid.to_string()).exists() {
                gone.push(key);
            }
        }
        for key in gone {
            self.windows.remove(&key);
            source.mm_events_mut().remove_windows(key)?;
        }
        self.sample_suppressed(now, source, out)?;
        let check = source.mm_events_mut().flush_check()?;
        if check != self.check {
            self.check = check;
            out.push(now, Body::FlushCheckSampled(check));
        }
        Ok(())
    }

    /// Emits the totals of suppressed changes that changed.
    fn sample_suppressed(
        &mut self,
        now: Nanos,
        source: &mut TraceSource,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        for (tgid, suppressed) in source.mm_events_mut().suppressed()? {
            if self.suppressed.get(&tgid) != Some(&suppressed) {
                self.suppressed.insert(tgid, suppressed);
                let event = ChangesSuppressed {
                    pid: Pid(tgid),
                    comm: comm(&suppressed.comm),
                    changes: suppressed.changes,
                };
                out.push(now, Body::ChangesSuppressed(event));
            } else if !self.proc.join(tgid.to_string()).exists() {
                self.suppressed.remove(&tgid);
                source.mm_events_mut().remove_suppressed(tgid)?;
            }
        }
        Ok(())
    }

    /// Returns true if the owner can have no further copies: the owner holds no pages, the id belongs to another owner,
    /// or the process that took the `FOLL_GET` reference has ended.
    fn is_over(&self, key: CowKey, ledger: &Ledger) -> Result<bool, LedgerError> {
        Ok(if key.kind & cow_kind::FOLL_GET != 0 {
            !self.proc.join(key.owner.to_string()).exists()
        } else if key.owner & EXTENT_BIT != 0 {
            let extent = ledger.extent(key.owner & !EXTENT_BIT)?;
            extent.opened_ns != key.opened_ns || extent.pages_held == 0
        } else {
            ledger.account(key.owner)?.opened_ns != key.opened_ns
        })
    }

    /// Emits the totals of copies if the totals changed. Returns true if an event was emitted.
    fn sample_cow(
        &mut self,
        now: Nanos,
        key: CowKey,
        copies: &CowStats,
        ledger: &Ledger,
        accounts: &mut Accounts,
        out: &mut Emitter,
    ) -> Result<bool, LedgerError> {
        let known = self.copies.get(&key);
        if known.is_some_and(|(_, emitted)| emitted == copies) || copies.copies == 0 {
            return Ok(false);
        }
        let id = known.map_or_else(
            || {
                self.next += 1;
                self.next
            },
            |(id, _)| *id,
        );
        self.copies.insert(key, (id, *copies));
        let reference = (key.kind & cow_kind::FOLL_GET != 0).then(|| {
            let (pid, tid) = task(copies.taken_by);
            FollGetReference {
                taken: Nanos(copies.taken_ns),
                tid,
                pid,
                stack: out.stack(now, copies.taken_stack, ledger),
                read_under_way: key.kind & cow_kind::READ_UNDER_WAY != 0,
            }
        });
        let account = if reference.is_some() {
            AccountId::default()
        } else {
            let number = u32::try_from(copies.account).unwrap_or_default();
            let account = ledger.account(number)?;
            accounts.open(number, &account, ledger, out)
        };
        let stack = out.stack(now, copies.stack, ledger);
        let (pid, tid) = task(copies.pid_tgid);
        let of_extent = reference.is_none() && key.owner & EXTENT_BIT != 0;
        let extent = of_extent.then_some((copies.extent_address, Nanos(key.opened_ns)));
        let event = CowSampled {
            id,
            account,
            extent,
            unshare: key.kind & cow_kind::UNSHARE != 0,
            anonymous: key.kind & cow_kind::ANONYMOUS != 0,
            address: copies.address,
            end: copies.end,
            copies: copies.copies,
            pages: copies.pages,
            in_window: copies.in_window,
            first: Nanos(copies.first_ns),
            last: Nanos(copies.last_ns),
            tid,
            pid,
            comm: comm(&copies.comm),
            stack,
            reference,
        };
        out.push(now, Body::CowSampled(Box::new(event)));
        Ok(true)
    }
}

/// System calls of x86-64 that unmap (arch/x86/entry/syscalls/syscall_64.tbl).
mod call {
    pub(super) const MMAP: i64 = 9;
    pub(super) const MUNMAP: i64 = 11;
    pub(super) const BRK: i64 = 12;
    pub(super) const MREMAP: i64 = 25;
    pub(super) const MADVISE: i64 = 28;
    /// `remap_file_pages`, which the kernel carries out like mmap.
    pub(super) const REMAP_FILE_PAGES: i64 = 216;
    /// `process_madvise`.
    pub(super) const PROCESS_MADVISE: i64 = 440;
}

/// Advice to madvise (include/uapi/asm-generic/mman-common.h).
mod advice {
    pub(super) const DONTNEED: u64 = 4;
    pub(super) const FREE: u64 = 8;
    pub(super) const DONTNEED_LOCKED: u64 = 24;
    pub(super) const GUARD_INSTALL: u64 = 102;
}

/// Returns the kind of change; `None` if the record is no mapping change.
fn change_of(record: &mm_events::MappingChanged) -> Option<MappingChange> {
    let change = match record.header.id {
        mapping_change::UNMAP => match record.call {
            call::MUNMAP => MappingChange::Munmap,
            call::MMAP | call::REMAP_FILE_PAGES => MappingChange::MmapOver,
            // mremap moves pages only if `detail` is 1. The range that mremap cuts off or replaces is unmapped.
            call::MREMAP if record.detail == 1 => MappingChange::Mremap,
            call::BRK => MappingChange::Brk,
            _ => MappingChange::Unmap,
        },
        // Callers other than madvise drop pages through the same kernel function.
        mapping_change::ADVICE_FOR_VMA if ![call::MADVISE, call::PROCESS_MADVISE].contains(&record.call) => {
            return None;
        }
        mapping_change::ADVICE | mapping_change::ADVICE_FOR_VMA => match record.detail {
            advice::DONTNEED | advice::DONTNEED_LOCKED => MappingChange::Dontneed,
            advice::FREE => MappingChange::Free,
            advice::GUARD_INSTALL => MappingChange::GuardInstall,
            // A hole in a file has a record of kind FILE.
            _ => return None,
        },
        mapping_change::PROTECT => MappingChange::Mprotect,
        mapping_change::UFFD_WP => MappingChange::UffdWp,
        mapping_change::SOFT_DIRTY => MappingChange::SoftDirty,
        mapping_change::FILE => MappingChange::Truncate,
        mapping_change::FORK => MappingChange::Fork,
        _ => return None,
    };
    Some(change)
}

fn cause_of(number: u32) -> Cause {
    match number {
        cause::UFFD_WP => Cause::UffdWp,
        cause::PROTECT => Cause::Mprotect,
        cause::SOFT_DIRTY => Cause::SoftDirty,
        cause::NUMA => Cause::NumaHinting,
        _ => Cause::Other,
    }
}

fn windows_event(key: WindowKey, windows: &WindowStats) -> WindowsSampled {
    WindowsSampled {
        pid: Pid(key.tgid),
        comm: comm(&windows.comm),
        cause: cause_of(key.cause),
        windows: windows.windows,
        pages: windows.pages,
        longest_ns: windows.longest_ns,
        durations: windows.durations.to_vec(),
        faults: windows.faults,
        copies: windows.copies,
        pins: windows.pins,
        first: Nanos(windows.first_ns),
        last: Nanos(windows.last_ns),
        address: windows.address,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "halves of one number")]
fn task(pid_tgid: u64) -> (Pid, Tid) {
    (Pid((pid_tgid >> 32) as u32), Tid(pid_tgid as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: u32, thread: u64, detail: u64) -> mm_events::MappingChanged {
        let mut record = mm_events::MappingChanged {
            pid_tgid: thread,
            within: 7,
            detail,
            ..mm_events::MappingChanged::default()
        };
        record.header.id = id;
        record
    }

    #[test]
    fn a_truncation_is_emitted_once_also_while_another_thread_truncates() {
        let mut mm_events = MmEvents::new("/proc".into());
        let of = |thread| record(mapping_change::FILE, thread, 1);
        let repeated: Vec<_> = [1, 2, 1, 2, 1]
            .map(|thread| mm_events.is_repeated_truncation(&of(thread)))
            .into();
        assert_eq!(repeated, [false, false, true, true, false]);
        // The kernel unmaps a hole once.
        assert!(!mm_events.is_repeated_truncation(&record(mapping_change::FILE, 1, 0)));
    }

    #[test]
    fn advice_is_emitted_once_by_vma_or_by_call() {
        let mut mm_events = MmEvents::new("/proc".into());
        let mut repeated = |id, thread, change| mm_events.is_repeated_advice(&record(id, thread, 0), change);
        assert!(!repeated(mapping_change::ADVICE, 1, MappingChange::Dontneed));
        assert!(!repeated(
            mapping_change::ADVICE_FOR_VMA,
            1,
            MappingChange::Dontneed
        ));
        assert!(!repeated(mapping_change::ADVICE, 2, MappingChange::Dontneed));
        assert!(repeated(mapping_change::ADVICE, 1, MappingChange::Dontneed));
        assert!(!repeated(mapping_change::ADVICE, 1, MappingChange::Dontneed));
    }

    #[test]
    fn the_system_call_names_the_mapping_change() {
        let mut unmapped = record(mapping_change::UNMAP, 1, 0);
        for (call, expected) in [
            (call::MUNMAP, MappingChange::Munmap),
            (call::MMAP, MappingChange::MmapOver),
            (call::MREMAP, MappingChange::Unmap),
            (call::BRK, MappingChange::Brk),
            (call::REMAP_FILE_PAGES, MappingChange::MmapOver),
            (-1, MappingChange::Unmap),
        ] {
            unmapped.call = call;
            assert_eq!(change_of(&unmapped), Some(expected));
        }
        (unmapped.call, unmapped.detail) = (call::MREMAP, 1);
        assert_eq!(change_of(&unmapped), Some(MappingChange::Mremap));
        // Another system call than madvise dropped the pages.
        assert_eq!(change_of(&record(mapping_change::ADVICE_FOR_VMA, 1, 4)), None);
        assert_eq!(change_of(&record(99, 1, 0)), None);
    }
}
