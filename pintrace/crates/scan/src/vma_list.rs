//! The mapped files of processes, by the list of vmas in the mm, on kernels without an iterator over mappings (before
//! 5.13). Later kernels keep the vmas in a tree (6.1), and have the iterator.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pintrace_kernel::scan_layout::Layout;

use super::kernel_memory::KernelMemory;
use super::tasks::Task;

/// A mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MappedFile {
    /// Pid of the process.
    pub(super) pid: u32,
    /// User address of the mapping.
    pub(super) address: u64,
    /// Address of the `struct file`.
    pub(super) file: u64,
    /// The function in `file_operations.release`.
    pub(super) release: u64,
}

/// Most vmas of an mm that are read (`DEFAULT_MAX_MAP_COUNT`).
const MOST_VMAS: usize = 65_530;
/// Parts of the names of files that can hold pins, in /proc/PID/maps.
const NAMES: [&str; 2] = ["anon_inode:[io_uring]", "/dmabuf:"];

/// Returns the mappings of files of the processes that map a file with one of [`NAMES`].
pub(super) fn mapped_files(memory: &dyn KernelMemory, layout: &Layout, tasks: &[Task]) -> Vec<MappedFile> {
    let Some((first, next)) = layout.vma_list else {
        return Vec::new();
    };
    let by_mm: BTreeMap<u64, &Task> = tasks.iter().map(|task| (task.mm, task)).collect();
    let mut found = Vec::new();
    for (mm, task) in by_mm {
        let maps = PathBuf::from(format!("/proc/{}/task/{}/maps", task.pid, task.tid));
        let text = std::fs::read(maps).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if !NAMES.iter().any(|name| text.contains(name)) {
            continue;
        }
        let facts = &layout.facts;
        let at = |object: u64, offset: u32| object.wrapping_add(offset.into());
        let mut vma = memory.pointer(at(mm, first));
        for _ in 0..MOST_VMAS {
            let Some(this) = vma else { break };
            let file = memory.pointer(at(this, facts.vma_file));
            let release = file
                .and_then(|file| memory.pointer(at(file, facts.file_op)))
                .and_then(|operations| memory.pointer(at(operations, facts.op_release)));
            if let (Some(file), Some(release), Some(address)) =
                (file, release, memory.word(at(this, facts.vma_start)))
            {
                found.push(MappedFile {
                    pid: task.pid,
                    address,
                    file,
                    release,
                });
            }
            vma = memory.pointer(at(this, next));
        }
    }
    found
}
