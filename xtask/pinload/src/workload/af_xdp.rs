//! The umem of an AF_XDP socket: pins that last until the socket is released.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;

use super::{Workload, WorkloadInfo, verify_late};
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, PAGE};
use crate::pins::PinCounts;

const NO_SOCKET: &str = "run as root (CAP_NET_RAW) on a kernel with CONFIG_XDP_SOCKETS";
const NO_MEMLOCK: &str = "raise the limit of locked memory (ulimit -l), or run as root";

/// A socket, and the memory registered as its umem.
pub(crate) struct Umem {
    socket: Option<OwnedFd>,
    buffer: Buffer,
}

impl Umem {
    /// Opens a socket without a umem.
    pub(crate) fn new(buffer: Buffer) -> Result<Self> {
        Ok(Self {
            socket: Some(open_socket()?),
            buffer,
        })
    }

    /// Returns the socket and its memory, which the caller keeps.
    pub(crate) fn into_parts(self) -> Result<(OwnedFd, Buffer)> {
        Ok((self.socket.ok_or_else(closed)?, self.buffer))
    }
}

/// Opens a socket without a umem.
pub(crate) fn open_socket() -> Result<OwnedFd> {
    // SAFETY: socket(2) takes no pointers.
    let descriptor = unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    let descriptor = Errno::result(descriptor).unavailable("cannot open an AF_XDP socket", NO_SOCKET)?;
    // SAFETY: the descriptor has just been created; nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn closed() -> Failure {
    Failure::failed("the AF_XDP socket is closed", "pin before closing")
}

impl Workload for Umem {
    fn pin(&mut self) -> Result<PinCounts> {
        let socket = self.socket.as_ref().ok_or_else(closed)?;
        // The first version of the structure, which every kernel accepts.
        let umem = libc::xdp_umem_reg_v1 {
            addr: self.buffer.address() as u64,
            len: self.buffer.bytes() as u64,
            chunk_size: 4096,
            headroom: 0,
        };
        let length = libc::socklen_t::try_from(size_of_val(&umem)).unwrap_or(0);
        // SAFETY: the pointer and the length describe `umem`, which the kernel only reads.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_XDP,
                libc::XDP_UMEM_REG,
                (&raw const umem).cast(),
                length,
            )
        };
        Errno::result(result).failing("cannot register the umem", NO_MEMLOCK)?;
        verify_late(&self.buffer)?;
        let pages = Some((self.buffer.bytes() / PAGE) as u64);
        Ok(PinCounts::lasting(pages, pages))
    }

    fn unpin(&mut self) -> Result<()> {
        self.close()
    }

    fn close(&mut self) -> Result<()> {
        self.socket = None;
        Ok(())
    }

    fn info(&self) -> WorkloadInfo {
        WorkloadInfo {
            address: self.buffer.address(),
            descriptor: self.socket.as_ref().map(AsRawFd::as_raw_fd),
            unpin_is_deferred: true,
            close_is_deferred: true,
            ..WorkloadInfo::default()
        }
    }

    fn buffer(&mut self) -> Option<&mut Buffer> {
        Some(&mut self.buffer)
    }
}
