//! The ways to register memory that a limit of locked memory bounds.

use clap::ValueEnum;
use io_uring::IoUring;
use nix::errno::Errno;
use nix::libc::iovec;

use crate::failure::Result;
use crate::workload::IoUringBuffers;
use crate::workload::rdma::{self, RdmaContext};
use crate::workload::vfio::VfioContainer;

/// What registers memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RegistrationKind {
    /// Buffers of an io_uring
    IoUring,
    /// A DMA mapping of QEMU's edu device (VFIO, type 1)
    Vfio,
    /// A memory region of a software RDMA device
    Rdma,
}

/// What root opens for a registration.
pub(super) enum Prepared {
    IoUring,
    Vfio(VfioContainer),
    Rdma,
}

/// An object that registers memory.
pub(super) enum Registrar {
    IoUring(Box<IoUring>),
    Vfio(VfioContainer),
    Rdma(RdmaContext),
}

impl RegistrationKind {
    /// Opens what only root can open.
    pub(super) fn prepare(self) -> Result<Prepared> {
        Ok(match self {
            Self::IoUring => Prepared::IoUring,
            Self::Vfio => Prepared::Vfio(VfioContainer::open()?),
            Self::Rdma => {
                rdma::make_device()?;
                Prepared::Rdma
            }
        })
    }
}

impl Prepared {
    /// Opens the rest, as the user that registers.
    pub(super) fn open(self) -> Result<Registrar> {
        Ok(match self {
            Self::IoUring => Registrar::IoUring(Box::new(IoUringBuffers::make_ring()?)),
            Self::Vfio(container) => Registrar::Vfio(container),
            Self::Rdma => Registrar::Rdma(rdma::open_context()?),
        })
    }
}

impl Registrar {
    /// Registers memory, and removes the registration if the kernel has accepted it. Returns the error of the kernel.
    pub(super) fn register_once(&self, memory: iovec) -> std::result::Result<(), Errno> {
        let (address, bytes) = (memory.iov_base.addr(), memory.iov_len);
        match self {
            Self::IoUring(ring) => {
                let errno = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
                let submitter = ring.submitter();
                // SAFETY: the memory outlives the registration, and no request uses the buffer. The kernel checks the
                // range.
                unsafe { submitter.register_buffers(&[memory]) }.map_err(errno)?;
                submitter.unregister_buffers().map_err(errno)
            }
            Self::Vfio(container) => {
                container.map(address, bytes)?;
                container.unmap(bytes)
            }
            Self::Rdma(context) => {
                let region = context.register(address, bytes)?;
                context.deregister(region)
            }
        }
    }
}
