//! A DMA buffer over a memfd: one pin for each folio, until the descriptor of the buffer is closed.

use std::fs::OpenOptions;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::libc::c_ulong;

use super::{Workload, WorkloadInfo, verify_late};
use crate::choice::Backing;
use crate::failure::{Explain, Failure, Result};
use crate::kernel::KernelRelease;
use crate::memory::{Buffer, HUGE, PAGE};
use crate::pins::PinCounts;

const DEVICE: &str = "/dev/udmabuf";
const NO_DEVICE: &str =
    "run as root on a kernel with CONFIG_UDMABUF (Debian: 6.12 and later; modprobe udmabuf)";
const NO_BUFFER: &str = "raise /sys/module/udmabuf/parameters/size_limit_mb";
/// UDMABUF_FLAGS_CLOEXEC.
const CLOEXEC: u32 = 1;

/// `struct udmabuf_create` of linux/udmabuf.h.
#[repr(C)]
struct Create {
    memfd: u32,
    flags: u32,
    offset: u64,
    size: u64,
}

mod ioctl {
    //! UDMABUF_CREATE of linux/udmabuf.h.
    nix::ioctl_write_ptr!(create, b'u', 0x42, super::Create);
}

/// The device, the memfd, and the DMA buffer over it.
pub(crate) struct Udmabuf {
    dma: Option<OwnedFd>,
    device: OwnedFd,
    buffer: Buffer,
}

impl Udmabuf {
    /// Opens the device, and seals the memfd against shrinking, as the driver requires.
    pub(crate) fn new(buffer: Buffer) -> Result<Self> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open(DEVICE)
            .unavailable(&format!("cannot open {DEVICE}"), NO_DEVICE)?;
        fcntl(memfd(&buffer)?, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK))
            .failing("cannot seal the memfd", "report this as a bug of pinload")?;
        Ok(Self {
            dma: None,
            device: device.into(),
            buffer,
        })
    }

    /// Returns the DMA buffer alone: closes the device and the memfd, and unmaps the memory.
    pub(crate) fn into_dma_buffer(self) -> Option<OwnedFd> {
        self.dma
    }
}

fn memfd(buffer: &Buffer) -> Result<std::os::fd::BorrowedFd<'_>> {
    buffer
        .memfd()
        .ok_or_else(|| Failure::failed("the memory is no memfd", "report this as a bug of pinload"))
}

impl Workload for Udmabuf {
    fn pin(&mut self) -> Result<PinCounts> {
        let create = Create {
            memfd: u32::try_from(memfd(&self.buffer)?.as_raw_fd()).unwrap_or(u32::MAX),
            flags: CLOEXEC,
            offset: 0,
            size: self.buffer.bytes() as u64,
        };
        // SAFETY: the pointer is to a `udmabuf_create` that the kernel only reads.
        let descriptor = unsafe { ioctl::create(self.device.as_raw_fd(), &raw const create) }
            .failing("cannot create the DMA buffer", NO_BUFFER)?;
        // SAFETY: the ioctl has just returned the descriptor; nothing else owns it.
        self.dma = Some(unsafe { OwnedFd::from_raw_fd(descriptor) });
        verify_late(&self.buffer)?;
        let folio = if self.buffer.wanted().backing == Backing::Small {
            PAGE
        } else {
            HUGE
        };
        let folios = self.buffer.bytes().div_ceil(folio) as u64;
        let pins = KernelRelease::running()?
            .udmabuf_pins()
            .map(|pins| if pins { folios } else { 0 });
        Ok(PinCounts::lasting(pins, pins))
    }

    fn unpin(&mut self) -> Result<()> {
        self.close()
    }

    fn close(&mut self) -> Result<()> {
        self.dma = None;
        Ok(())
    }

    fn info(&self) -> WorkloadInfo {
        WorkloadInfo {
            address: self.buffer.address(),
            descriptor: Some(self.device.as_raw_fd()),
            ..WorkloadInfo::default()
        }
    }

    fn buffer(&mut self) -> Option<&mut Buffer> {
        Some(&mut self.buffer)
    }
}

const _: () = assert!(size_of::<Create>() == 24 && size_of::<c_ulong>() == 8);
