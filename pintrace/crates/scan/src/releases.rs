//! The kinds of open files by the function in `file_operations.release`.
//!
//! pintrace opens an io_uring and a socket of its own and reads their functions. The functions of a udmabuf are symbols of
//! kallsyms, which takes longer to read than all struct pages, so a scan reads kallsyms only for pins that no io_uring and
//! no socket explains. Where kallsyms hides addresses (kernel.kptr_restrict=2), no udmabuf is recognized.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use pintrace_kernel::kallsyms;
use pintrace_kernel::scan_layout::Layout;

use super::kernel_memory::KernelMemory as _;
use super::object::Object;
use super::open_files::FileKind;
use super::vmemmap::struct_file;

const IO_URING: &str = "io_uring_release";
const SOCKET: &str = "sock_close";
const DMA_BUF: &str = "dma_buf_file_release";
const UDMABUF: &str = "release_udmabuf";

/// The functions by which pintrace recognizes open files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Releases {
    /// Kinds by the address of `file_operations.release`.
    pub(super) kinds: BTreeMap<u64, FileKind>,
    /// Address of the function that a udmabuf has in `dma_buf_ops.release`.
    pub(super) udmabuf: Option<u64>,
    /// kallsyms was read.
    pub(super) complete: bool,
    /// The addresses in kallsyms are hidden, so that a udmabuf cannot be recognized.
    pub(super) hidden: bool,
}

impl Releases {
    /// Finds the functions by files that this process opens for a moment.
    pub(super) fn of_samples(object: &Object, layout: &Layout) -> Self {
        let release = |fd: OwnedFd| {
            let task = object.probe_read(0).ok()?.task;
            let file = struct_file(object, layout, task, u64::try_from(fd.as_raw_fd()).ok()?)?;
            let operations = object.pointer(file + u64::from(layout.facts.file_op))?;
            object.pointer(operations + u64::from(layout.facts.op_release))
        };
        let ring = io_uring().and_then(release).map(|at| (at, FileKind::IoUring));
        let socket = UnixDatagram::unbound().ok().map(OwnedFd::from);
        let socket = socket.and_then(release).map(|at| (at, FileKind::AfXdp));
        Self {
            kinds: ring.into_iter().chain(socket).collect(),
            ..Self::default()
        }
    }

    /// Adds the functions that kallsyms names.
    pub(super) fn add_symbols(&mut self, proc: &Path) {
        let symbols = kallsyms::addresses(&proc.join("kallsyms"), &[IO_URING, SOCKET, DMA_BUF, UDMABUF]);
        self.complete = true;
        self.hidden = symbols.is_empty();
        for (address, name) in symbols {
            let kind = match name {
                IO_URING => FileKind::IoUring,
                SOCKET => FileKind::AfXdp,
                DMA_BUF => FileKind::DmaBuf,
                _ => {
                    self.udmabuf = Some(address);
                    continue;
                }
            };
            self.kinds.insert(address, kind);
        }
    }
}

/// Opens an io_uring. `None` if the system allows none (kernel.io_uring_disabled).
fn io_uring() -> Option<OwnedFd> {
    /// Bytes of `struct io_uring_params` (include/uapi/linux/io_uring.h).
    const PARAMS: usize = 120;
    let mut params = [0u64; PARAMS / 8];
    // SAFETY: the kernel reads and writes `params` only, which has the size of the structure.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, params.as_mut_ptr()) };
    let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: a new descriptor that nothing else owns.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}
