//! The open files that can hold pins and whose tables pintrace can read, with the processes that have them open.

use std::collections::BTreeMap;

use pintrace_common::scan::{FileFilter, FileSeen, RELEASES};

use super::kernel_memory::{KernelMemory, low_half};
use super::object::{Object, ObjectError};
use super::pids::Pids;
use super::tasks::Task;
use pintrace_kernel::scan_layout::Layout;

/// The kind of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// An io_uring.
    IoUring,
    /// An AF_XDP socket.
    AfXdp,
    /// A dma-buf, which is a udmabuf if that driver exports it.
    DmaBuf,
}

impl FileKind {
    /// Returns the subsystem to which the pins of such a file belong.
    pub const fn subsystem(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::AfXdp => "af_xdp",
            Self::DmaBuf => "udmabuf",
        }
    }
}

/// The way in which a process has a file open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// By a descriptor with this number.
    Descriptor(u32),
    /// By a mapping at this user address.
    Mapping(u64),
    /// By a slot of the rings that a thread has registered (IORING_REGISTER_RING_FDS).
    RegisteredRing(u32),
}

/// A process that has a file open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opener {
    /// Pid of the process.
    pub pid: u32,
    /// The way in which the process has the file open.
    pub place: Place,
}

/// An open file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// Address of the `struct file`.
    pub file: u64,
    /// Kind of the file.
    pub kind: FileKind,
    /// The processes that have the file open, by pid.
    pub openers: Vec<Opener>,
}

/// Open files in the order of their addresses.
#[derive(Default)]
struct OpenFiles(BTreeMap<u64, OpenFile>);

impl OpenFiles {
    fn add(&mut self, file: u64, kind: FileKind, opener: Opener) {
        let entry = self.0.entry(file).or_insert_with(|| OpenFile {
            file,
            kind,
            openers: Vec::new(),
        });
        entry.openers.push(opener);
    }

    fn finish(self) -> Vec<OpenFile> {
        let mut files: Vec<_> = self.0.into_values().collect();
        for file in &mut files {
            file.openers.sort_unstable();
            file.openers.dedup();
        }
        files
    }
}

/// Most registered rings of a thread (`IO_RINGFD_REG_MAX`, io_uring/io_uring.h).
const REGISTERED_RINGS: usize = 16;

/// Returns the open files. `kinds` gives the kind by the address of `file_operations.release`.
pub(super) fn open_files(
    object: &mut Object,
    layout: &Layout,
    kinds: &BTreeMap<u64, FileKind>,
    tasks: &[Task],
    pids: &Pids,
) -> Result<Vec<OpenFile>, ObjectError> {
    let filter = filter(kinds);
    let mut files = OpenFiles::default();
    let mut add = |seen: Vec<FileSeen>, place: fn(u64) -> Place| {
        for seen in seen {
            if let Some(kind) = kinds.get(&seen.release)
                && let Some(pid) = pids.of_record(seen.pid_tgid)
            {
                let place = place(seen.place);
                files.add(seen.file, *kind, Opener { pid, place });
            }
        }
    };
    let descriptors = object.descriptors(filter)?.unwrap_or_default();
    add(descriptors, |fd| {
        Place::Descriptor(u32::try_from(fd).unwrap_or_default())
    });
    match object.mappings(filter)? {
        Some(mappings) => add(mappings, Place::Mapping),
        None => {
            for mapping in super::vma_list::mapped_files(object, layout, tasks) {
                if let Some(kind) = kinds.get(&mapping.release) {
                    let opener = Opener {
                        pid: mapping.pid,
                        place: Place::Mapping(mapping.address),
                    };
                    files.add(mapping.file, *kind, opener);
                }
            }
        }
    }
    for (pid, slot, file) in registered_rings(object, layout, tasks) {
        let opener = Opener {
            pid,
            place: Place::RegisteredRing(slot),
        };
        files.add(file, FileKind::IoUring, opener);
    }
    Ok(files.finish())
}

/// Returns the ways in which processes have open the one file that `filter` selects. Before 5.13, mappings are listed for
/// io_urings and dma-bufs alone.
pub(crate) fn openers(
    object: &mut Object,
    layout: &Layout,
    filter: FileFilter,
    tasks: &[Task],
    pids: &Pids,
) -> Result<Vec<Opener>, ObjectError> {
    let opener = |seen: &FileSeen, place: Place| {
        let pid = pids.of_record(seen.pid_tgid)?;
        Some(Opener { pid, place })
    };
    let mut openers = Vec::new();
    let descriptors = object.descriptors(filter)?.unwrap_or_default();
    let descriptors = descriptors.iter();
    openers.extend(descriptors.filter_map(|seen| opener(seen, Place::Descriptor(low_half(seen.place)))));
    if let Some(mappings) = object.mappings(filter)? {
        let mappings = mappings.iter();
        openers.extend(mappings.filter_map(|seen| opener(seen, Place::Mapping(seen.place))));
    } else {
        let mapped = super::vma_list::mapped_files(object, layout, tasks);
        let of_file = mapped.iter().filter(|mapping| mapping.file == filter.file);
        openers.extend(of_file.map(|mapping| Opener {
            pid: mapping.pid,
            place: Place::Mapping(mapping.address),
        }));
    }
    let rings = registered_rings(object, layout, tasks).into_iter();
    let of_file = rings.filter(|(_, _, file)| *file == filter.file);
    openers.extend(of_file.map(|(pid, slot, _)| Opener {
        pid,
        place: Place::RegisteredRing(slot),
    }));
    openers.sort_unstable();
    openers.dedup();
    Ok(openers)
}

fn filter(kinds: &BTreeMap<u64, FileKind>) -> FileFilter {
    let mut filter = FileFilter {
        family: u64::from(libc::AF_XDP.unsigned_abs()),
        ..FileFilter::default()
    };
    let mut next = 0;
    for (release, kind) in kinds {
        if *kind == FileKind::AfXdp {
            filter.socket_release = *release;
        } else if next < RELEASES {
            filter.releases[next] = *release;
            next += 1;
        }
    }
    filter
}

/// Returns the registered rings: pid, slot and address of the `struct file`.
fn registered_rings(memory: &dyn KernelMemory, layout: &Layout, tasks: &[Task]) -> Vec<(u32, u32, u64)> {
    let Some(offset) = layout.tables.registered_rings else {
        return Vec::new();
    };
    let mut rings = Vec::new();
    for task in tasks.iter().filter(|task| task.io_uring != 0) {
        let slots = memory.words(task.io_uring.wrapping_add(offset.into()), REGISTERED_RINGS);
        for (slot, file) in (0..).zip(slots.unwrap_or_default()) {
            if file != 0 {
                rings.push((task.pid, slot, file));
            }
        }
    }
    rings
}
