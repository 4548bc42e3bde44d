//! The holders of long-term pins: open files, and processes whose pins have no known file. Short-term pins are held by the
//! call that took them, and are left out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pintrace_events::{Evidence, FileId};

use crate::snapshot::{HeldAccount, OpenExtent, Process, Snapshot};
use crate::subsystem::Subsystem;

use super::sums::{PinSums, runs};

/// One holder.
#[derive(Clone, Debug, PartialEq)]
pub struct HolderRow {
    /// The holder.
    pub holder: Holder,
    /// The processes that pinned through the holder, by pid.
    pub processes: Vec<HolderProcess>,
    /// What showed a scan that the pins belong to the holder; `None` if hooks saw all of them.
    pub evidence: Option<Evidence>,
    /// Pages held by subsystem.
    pub subsystems: BTreeMap<Subsystem, u64>,
    /// Sums over the pins.
    pub sums: PinSums,
}

/// The object that keeps pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// The open file on which the system call pinned, or whose table names the pages.
    File {
        /// Identity of the file.
        file: FileId,
        /// The last reference to the file is gone, and the kernel has not released the pages yet.
        released: bool,
    },
    /// The pins of one process through one subsystem, on no file or on a file that is not known.
    Process,
    /// The pins of one process that a scan found, and of which no open file is known.
    Scan(Option<Evidence>),
}

/// A process that pinned through a holder.
#[derive(Clone, Debug, PartialEq)]
pub struct HolderProcess {
    /// The process.
    pub process: Arc<Process>,
    /// The descriptor on which the process pinned last, or that it had when a scan found the pins; `None` if unknown. The
    /// process may have closed it since, or given the file another one.
    pub descriptor: Option<u32>,
}

impl HolderRow {
    /// Returns what the holder is: the kind of open file, `process`, or `unknown`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        let nobody = self.processes.iter().all(|one| one.process.pid.0 == 0);
        match self.holder {
            Holder::File { .. } | Holder::Scan(Some(Evidence::KernelTable)) => {
                file_kind(self.subsystem().unwrap_or_default())
            }
            Holder::Scan(_) if nobody => "unknown",
            Holder::Process | Holder::Scan(_) => "process",
        }
    }

    /// Returns the open file, if known.
    #[must_use]
    pub fn file(&self) -> Option<FileId> {
        match self.holder {
            Holder::File { file, .. } => Some(file),
            Holder::Process | Holder::Scan(_) => None,
        }
    }

    /// Returns the descriptors on which the processes pinned last; empty if none is known.
    pub fn descriptors(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().filter_map(|one| one.descriptor)
    }

    /// Returns the subsystem with most pages.
    #[must_use]
    pub fn subsystem(&self) -> Option<Subsystem> {
        let by_pages = self
            .subsystems
            .iter()
            .max_by_key(|(subsystem, pages)| (**pages, Reverse(**subsystem)));
        by_pages.map(|(subsystem, _)| *subsystem)
    }
}

/// Returns the kind of the open file on which a subsystem pins.
#[must_use]
pub const fn file_kind(subsystem: Subsystem) -> &'static str {
    match subsystem {
        Subsystem::IoUring => "io_uring",
        Subsystem::Rdma => "uverbs context",
        Subsystem::Vfio => "VFIO container",
        Subsystem::Iommufd => "iommufd",
        Subsystem::AfXdp => "AF_XDP socket",
        Subsystem::Kvm => "KVM virtual machine",
        Subsystem::Udmabuf => "udmabuf device",
        Subsystem::V4l2 => "V4L2 device",
        Subsystem::Drm => "DRM device",
        Subsystem::Vhost => "vhost device",
        Subsystem::DirectIo | Subsystem::ProcessVm | Subsystem::Other => "open file",
    }
}

/// Returns the holders, those with most pages first.
#[must_use]
pub fn of(snapshot: &Snapshot) -> Vec<HolderRow> {
    of_processes(snapshot.processes.iter().enumerate())
}

/// Returns the holders of the pins of one process, those with most pages first. Pins of other processes through the same
/// open files are left out.
#[must_use]
pub fn of_process(snapshot: &Snapshot, process: &Process) -> Vec<HolderRow> {
    let is_it =
        |other: &Process| (other.pid, other.earlier_processes) == (process.pid, process.earlier_processes);
    let processes = snapshot.processes.iter().enumerate();
    of_processes(processes.filter(|(_, other)| is_it(other)))
}

fn of_processes<'a>(processes: impl Iterator<Item = (usize, &'a Arc<Process>)>) -> Vec<HolderRow> {
    let mut rows = Rows::default();
    for (position, process) in processes {
        for (first, sums) in runs(process.open_extents.iter(), have_one_holder) {
            let row = rows.row(key(position, first), process, first.descriptor);
            row.sums.add(sums);
            add(row, first.subsystem, sums.pages_held);
        }
        let longterm = |account: &&HeldAccount| account.longterm || account.from_scan;
        for account in process.held_accounts.iter().filter(longterm) {
            let key = key_of_account(position, account);
            let row = rows.row(key, process, None);
            // The scan was before the pin calls that hooks saw.
            if let Some(last) = row.processes.last_mut() {
                last.descriptor = last.descriptor.or(account.descriptor);
            }
            row.evidence = row.evidence.or(account.evidence);
            row.sums.add_account(account);
            add(row, account.subsystem, account.pages_held);
        }
    }
    rows.list.sort_by_key(|row| Reverse(row.sums.pages_held));
    rows.list
}

/// Returns true if two extents of a process have the same holder, subsystem and descriptor.
fn have_one_holder(extent: &OpenExtent, other: &OpenExtent) -> bool {
    let facts = |extent: &OpenExtent| {
        (
            extent.file,
            extent.file_released,
            extent.subsystem,
            extent.descriptor,
        )
    };
    facts(extent) == facts(other)
}

/// The holder, and for a holder without a file the process and its subsystem.
type Key = (Holder, Option<(usize, Subsystem)>);

fn key(position: usize, extent: &OpenExtent) -> Key {
    if extent.file.is_none() {
        return (Holder::Process, Some((position, extent.subsystem)));
    }
    let holder = Holder::File {
        file: extent.file,
        released: extent.file_released,
    };
    (holder, None)
}

fn key_of_account(position: usize, account: &HeldAccount) -> Key {
    let of_process = Some((position, account.subsystem));
    if !account.from_scan {
        return (Holder::Process, of_process);
    }
    if account.file.is_none() {
        return (Holder::Scan(account.evidence), of_process);
    }
    let holder = Holder::File {
        file: account.file,
        released: account.file_released,
    };
    (holder, None)
}

#[derive(Default)]
struct Rows {
    list: Vec<HolderRow>,
    by_key: HashMap<Key, usize>,
}

impl Rows {
    /// Returns the row of a key, with the process among the processes of the row. The caller passes the extents of a
    /// process oldest first, so the latest known descriptor stays.
    fn row(&mut self, key: Key, process: &Arc<Process>, descriptor: Option<u32>) -> &mut HolderRow {
        let Self { list, by_key } = self;
        let index = *by_key.entry(key).or_insert_with(|| {
            list.push(HolderRow {
                holder: key.0,
                processes: Vec::new(),
                evidence: None,
                subsystems: BTreeMap::new(),
                sums: PinSums::default(),
            });
            list.len() - 1
        });
        let row = &mut list[index];
        // The rows are filled process by process.
        match row.processes.last_mut() {
            Some(last) if Arc::ptr_eq(&last.process, process) => {
                last.descriptor = descriptor.or(last.descriptor);
            }
            _ => row.processes.push(HolderProcess {
                process: Arc::clone(process),
                descriptor,
            }),
        }
        row
    }
}

fn add(row: &mut HolderRow, subsystem: Subsystem, pages: u64) {
    let sum = row.subsystems.entry(subsystem).or_insert(0);
    *sum = sum.saturating_add(pages);
}
