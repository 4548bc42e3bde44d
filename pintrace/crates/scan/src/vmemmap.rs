//! Where the struct pages lie: the address of the one of frame 0.
//!
//! It is random (`RANDOMIZE_MEMORY`), and kernels without KALLSYMS_ALL do not name it. So a page is made whose
//! frame is known and whose struct page can be found: the first of a file in memory, to which the kernel's own
//! pointers lead from this task's open files. Two such pages must agree.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use pintrace_common::scan::PAGE_STRUCT;

use super::object::{Object, ObjectError};
use pintrace_kernel::scan_layout::Layout;

/// Why the struct pages cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum VmemmapError {
    /// This kernel's memory model is not one that the scan knows.
    #[error("the scan knows x86-64 and 64-bit ARM with pages of 4096 bytes; this is {0}")]
    Machine(String),
    /// No page of known frame.
    #[error("cannot make a page to find the struct pages by: {0}")]
    Page(#[source] std::io::Error),
    /// pagemap shows no frames.
    #[error("/proc/self/pagemap shows no frame numbers: it needs CAP_SYS_ADMIN")]
    Hidden,
    /// The pointers lead elsewhere.
    #[error("the kernel's open files do not lead to a struct page: {0}")]
    Lost(&'static str),
    /// The two pages disagree.
    #[error("struct pages do not lie in one array (frame 0 at {0:#x} by one page, at {1:#x} by another)")]
    Torn(u64, u64),
    /// The program cannot run.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// Bytes of a page.
const PAGE: usize = 4096;
/// Attempts at a page that is moved while it is looked at.
const ATTEMPTS: usize = 8;

/// Finds the address of frame 0's struct page.
pub fn find(object: &Object, layout: &Layout, proc: &Path) -> Result<u64, VmemmapError> {
    let page = rustix::param::page_size();
    if page != PAGE || !matches!(std::env::consts::ARCH, "x86_64" | "aarch64") {
        return Err(VmemmapError::Machine(format!(
            "{} with pages of {page} bytes",
            std::env::consts::ARCH
        )));
    }
    let (one, other) = (base(object, layout, proc)?, base(object, layout, proc)?);
    if one == other {
        Ok(one)
    } else {
        Err(VmemmapError::Torn(one, other))
    }
}

/// The base by one page.
fn base(object: &Object, layout: &Layout, proc: &Path) -> Result<u64, VmemmapError> {
    let page = KnownPage::make().map_err(VmemmapError::Page)?;
    let mut last = VmemmapError::Lost("the page is moved at every look");
    for _ in 0..ATTEMPTS {
        let before = page.frame(proc)?;
        let found = page.struct_page(object, layout);
        if page.frame(proc)? != before {
            continue;
        }
        match found {
            Ok(address) => match address.checked_sub(before * PAGE_STRUCT as u64) {
                Some(base) => return Ok(base),
                None => last = VmemmapError::Lost("its address is too low"),
            },
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A page of a file in memory that this process maps.
struct KnownPage {
    file: File,
    address: *mut libc::c_void,
}

impl KnownPage {
    fn make() -> std::io::Result<Self> {
        let file = File::from(rustix::fs::memfd_create(
            "pintrace",
            rustix::fs::MemfdFlags::CLOEXEC,
        )?);
        file.write_all_at(&[1; PAGE], 0)?;
        // SAFETY: a new mapping at an address of the kernel's choice, read by nobody but the look below.
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

    /// Its frame number.
    fn frame(&self, proc: &Path) -> Result<u64, VmemmapError> {
        // SAFETY: the page is mapped for reading as long as this lives; reading keeps it in memory.
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

    /// Its struct page: task, open files, file, page cache, whose only entry it is.
    fn struct_page(&self, object: &Object, layout: &Layout) -> Result<u64, VmemmapError> {
        let task = object.probe_read(0)?.task;
        let fd = u64::try_from(self.file.as_raw_fd()).unwrap_or(0);
        let file = file(object, layout, task, fd).ok_or(VmemmapError::Lost("no open file"))?;
        let first = object
            .read_u64(file + u64::from(layout.path.file_mapping))
            .and_then(|mapping| object.read_u64(mapping + u64::from(layout.path.mapping_first)))
            .ok_or(VmemmapError::Lost("no page cache"))?;
        // The lowest bits of a page cache entry that is no page are set (include/linux/xarray.h).
        if first == 0 || first % PAGE_STRUCT as u64 != 0 {
            return Err(VmemmapError::Lost("the page cache holds no page"));
        }
        Ok(first)
    }
}

impl Drop for KnownPage {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and nothing refers to it any more.
        unsafe { libc::munmap(self.address, PAGE) };
    }
}

/// The `struct file` behind a task's descriptor.
pub fn file(object: &Object, layout: &Layout, task: u64, fd: u64) -> Option<u64> {
    let path = &layout.path;
    let files = object.read_u64(task + u64::from(path.task_files))?;
    let table = object.read_u64(files + u64::from(path.files_fdt))?;
    let array = object.read_u64(table + u64::from(path.fdt_fd))?;
    object.read_u64(array + fd * 8).filter(|file| *file != 0)
}
