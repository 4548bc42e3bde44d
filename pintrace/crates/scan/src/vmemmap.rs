//! Finds the base of vmemmap: the address of the struct page of frame 0.
//!
//! The base is random (`RANDOMIZE_MEMORY`), and kernels without KALLSYMS_ALL do not name it. So pintrace creates a page
//! whose frame and struct page can be found: the only page of a memfd. /proc/self/pagemap shows the frame. The kernel's
//! pointers lead from this task's open files to the struct page. Two such pages must give the same base.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use pintrace_common::scan::PAGE_STRUCT;

use super::kernel_memory::KernelMemory;
use super::object::{Object, ObjectError};
use pintrace_kernel::page_size::{self, UnsupportedPageSize};
use pintrace_kernel::scan_layout::Layout;

/// The reason why the base of vmemmap cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum VmemmapError {
    /// The machine has an architecture that a scan does not support.
    #[error("a scan supports x86-64 and 64-bit ARM; this machine is {0}")]
    Machine(&'static str),
    /// The pages of the kernel have an unsupported size.
    #[error(transparent)]
    PageSize(#[from] UnsupportedPageSize),
    /// The page cannot be created, or its frame cannot be read.
    #[error("cannot create a page with a known frame number: {0}")]
    Page(#[source] std::io::Error),
    /// pagemap shows no frame numbers.
    #[error("/proc/self/pagemap shows no frame numbers: run as root or with CAP_SYS_ADMIN")]
    Hidden,
    /// The kernel's pointers do not lead to a struct page.
    #[error("cannot find the struct page of a memfd in kernel memory: {0}")]
    NoStructPage(&'static str),
    /// Two pages gave two bases.
    #[error("the struct pages are not in one array: frame 0 is at {0:#x} by one page, at {1:#x} by a second")]
    BasesDiffer(u64, u64),
    /// A BPF program cannot be run.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// Bytes of a page.
const PAGE: usize = 4096;
/// Attempts with a page that the kernel migrates between the readings of its frame.
const ATTEMPTS: usize = 8;

/// Returns the address of the struct page of frame 0.
pub fn find(object: &Object, layout: &Layout, proc: &Path) -> Result<u64, VmemmapError> {
    page_size::check(page_size::of_machine())?;
    if !matches!(std::env::consts::ARCH, "x86_64" | "aarch64") {
        return Err(VmemmapError::Machine(std::env::consts::ARCH));
    }
    let (first, second) = (base(object, layout, proc)?, base(object, layout, proc)?);
    if first == second {
        Ok(first)
    } else {
        Err(VmemmapError::BasesDiffer(first, second))
    }
}

/// Finds the base by one page.
fn base(object: &Object, layout: &Layout, proc: &Path) -> Result<u64, VmemmapError> {
    let page = KnownPage::create().map_err(VmemmapError::Page)?;
    let mut last = VmemmapError::NoStructPage("the kernel migrated the page at each attempt");
    for _ in 0..ATTEMPTS {
        let before = page.frame(proc)?;
        let found = page.struct_page(object, layout);
        if page.frame(proc)? != before {
            continue;
        }
        match found {
            Ok(address) => match address.checked_sub(before * PAGE_STRUCT as u64) {
                Some(base) => return Ok(base),
                None => last = VmemmapError::NoStructPage("its address is too low for its frame number"),
            },
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The page of a memfd, mapped into this process.
struct KnownPage {
    file: File,
    address: *mut libc::c_void,
}

impl KnownPage {
    fn create() -> std::io::Result<Self> {
        let file = File::from(rustix::fs::memfd_create(
            "pintrace",
            rustix::fs::MemfdFlags::CLOEXEC,
        )?);
        file.write_all_at(&[1; PAGE], 0)?;
        // SAFETY: a new mapping at an address that the kernel chooses; only `frame` reads the mapping.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                PAGE,
                libc::PROT_READ,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                file.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        Ok(Self { file, address })
    }

    /// Returns the frame number of the page.
    fn frame(&self, proc: &Path) -> Result<u64, VmemmapError> {
        // SAFETY: the page is mapped for reading as long as `self` lives. The read keeps the page in memory.
        let _ = unsafe { self.address.cast::<u8>().read_volatile() };
        let mut word = [0; 8];
        File::open(proc.join("self/pagemap"))
            .and_then(|pagemap| pagemap.read_exact_at(&mut word, self.address as u64 / PAGE as u64 * 8))
            .map_err(VmemmapError::Page)?;
        match u64::from_ne_bytes(word) & ((1 << 55) - 1) {
            0 => Err(VmemmapError::Hidden),
            frame => Ok(frame),
        }
    }

    /// Returns the address of the struct page, by task, open files, file and page cache. The page is the only entry of
    /// the page cache.
    fn struct_page(&self, object: &Object, layout: &Layout) -> Result<u64, VmemmapError> {
        let task = object.probe_read(0)?.task;
        let fd = u64::try_from(self.file.as_raw_fd()).unwrap_or(0);
        let file = struct_file(object, layout, task, fd)
            .ok_or(VmemmapError::NoStructPage("the descriptor has no struct file"))?;
        let first = object
            .word(file + u64::from(layout.path.file_mapping))
            .and_then(|mapping| object.word(mapping + u64::from(layout.path.mapping_first)))
            .ok_or(VmemmapError::NoStructPage("the file has no page cache"))?;
        // An entry of the page cache that is not a page has one of the low bits set (include/linux/xarray.h).
        if first == 0 || first % PAGE_STRUCT as u64 != 0 {
            return Err(VmemmapError::NoStructPage("the page cache has no page"));
        }
        Ok(first)
    }
}

impl Drop for KnownPage {
    fn drop(&mut self) {
        // SAFETY: `self` owns the mapping, and no reference to the mapping is left.
        unsafe { libc::munmap(self.address, PAGE) };
    }
}

/// Returns the address of the `struct file` behind a descriptor of a task.
pub(super) fn struct_file(memory: &dyn KernelMemory, layout: &Layout, task: u64, fd: u64) -> Option<u64> {
    let path = &layout.path;
    let files = memory.word(task.wrapping_add(path.task_files.into()))?;
    let table = memory.word(files.wrapping_add(path.files_fdt.into()))?;
    let array = memory.word(table.wrapping_add(path.fdt_fd.into()))?;
    memory.pointer(array.wrapping_add(fd.wrapping_mul(8)))
}
