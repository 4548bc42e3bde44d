//! A DMA mapping of the type 1 IOMMU of VFIO: pinned page by page until the mapping is removed or its
//! container is closed.
//!
//! The device is QEMU's `edu` (1234:11e8) behind an emulated IOMMU, which does nothing by itself. The kernel assigns a
//! device to one process at a time, so the first free device is used.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::{Workload, WorkloadInfo};
use crate::failure::{Explain, Failure, Result};
use crate::memory::{Buffer, PAGE};
use crate::pins::PinCounts;

const CONTAINER: &str = "/dev/vfio/vfio";
const NO_VFIO: &str = "run as root with the modules vfio-pci and vfio_iommu_type1 (Debian: the full flavour)";
const NO_DEVICE: &str = "give the machine one more edu device, behind an IOMMU: QEMU with -device \
                         intel-iommu,intremap=on -device edu, and intel_iommu=on for the kernel";
const BUG: &str = "report this as a bug of pinload";
/// Vendor and device of QEMU's `edu`.
const EDU: (&str, &str) = ("0x1234", "0x11e8");
/// VFIO_TYPE1v2_IOMMU of linux/vfio.h.
const TYPE1V2: i32 = 3;
/// VFIO_DMA_MAP_FLAG_READ and VFIO_DMA_MAP_FLAG_WRITE.
const READ_AND_WRITE: u32 = 3;

/// `struct vfio_iommu_type1_dma_map` of linux/vfio.h.
#[repr(C)]
struct Map {
    argsz: u32,
    flags: u32,
    vaddr: u64,
    iova: u64,
    size: u64,
}

/// `struct vfio_iommu_type1_dma_unmap` of linux/vfio.h.
#[repr(C)]
struct Unmap {
    argsz: u32,
    flags: u32,
    iova: u64,
    size: u64,
}

mod ioctl {
    //! The ioctls of linux/vfio.h: type `;`, numbers from 100, no size in the request code.
    use nix::request_code_none;

    nix::ioctl_write_int_bad!(set_iommu, request_code_none!(b';', 102));
    nix::ioctl_write_ptr_bad!(group_set_container, request_code_none!(b';', 104), i32);
    nix::ioctl_write_ptr_bad!(map_dma, request_code_none!(b';', 113), super::Map);
    nix::ioctl_readwrite_bad!(unmap_dma, request_code_none!(b';', 114), super::Unmap);
}

/// A container with the group of a device.
pub(crate) struct VfioContainer {
    /// Closed before the container.
    _group: File,
    container: File,
}

impl VfioContainer {
    /// Assigns a device to VFIO, and opens a container for its group.
    pub(crate) fn open() -> Result<Self> {
        let container =
            open(Path::new(CONTAINER)).unavailable(&format!("cannot open {CONTAINER}"), NO_VFIO)?;
        let group = free_group()?;
        let number = container.as_raw_fd();
        // SAFETY: the pointer is to a descriptor's number, which the kernel only reads.
        unsafe { ioctl::group_set_container(group.as_raw_fd(), &raw const number) }
            .failing("cannot put the device's group into a container", BUG)?;
        // SAFETY: the argument is an integer.
        unsafe { ioctl::set_iommu(number, TYPE1V2) }.unavailable("there is no type 1 IOMMU", NO_VFIO)?;
        Ok(Self {
            _group: group,
            container,
        })
    }

    /// Maps memory at the device's address 0.
    pub(crate) fn map(&self, address: usize, bytes: usize) -> nix::Result<()> {
        let map = Map {
            argsz: MAP_BYTES,
            flags: READ_AND_WRITE,
            vaddr: address as u64,
            iova: 0,
            size: bytes as u64,
        };
        // SAFETY: the pointer is to a `vfio_iommu_type1_dma_map` that the kernel only reads.
        unsafe { ioctl::map_dma(self.container.as_raw_fd(), &raw const map) }.map(drop)
    }

    /// Removes the mapping of `bytes` bytes.
    pub(crate) fn unmap(&self, bytes: usize) -> nix::Result<()> {
        let mut unmap = Unmap {
            argsz: UNMAP_BYTES,
            flags: 0,
            iova: 0,
            size: bytes as u64,
        };
        // SAFETY: the pointer is to a `vfio_iommu_type1_dma_unmap`, which the kernel reads and writes.
        unsafe { ioctl::unmap_dma(self.container.as_raw_fd(), &raw mut unmap) }.map(drop)
    }
}

/// A container and the mapped memory.
pub(super) struct Vfio {
    open: Option<VfioContainer>,
    buffer: Buffer,
}

impl Vfio {
    /// Opens a container without a mapping.
    pub(super) fn new(buffer: Buffer) -> Result<Self> {
        Ok(Self {
            open: Some(VfioContainer::open()?),
            buffer,
        })
    }

    fn container(&self) -> Result<&VfioContainer> {
        let open = self.open.as_ref();
        open.ok_or_else(|| Failure::failed("the container is closed", BUG))
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Opens the group of the first device that no process uses.
fn free_group() -> Result<File> {
    for device in devices()? {
        let path = group_of(&device)?;
        match open(&path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
            group => return group.unavailable(&format!("cannot open {}", path.display()), NO_VFIO),
        }
    }
    Err(Failure::unavailable("every edu device is in use", NO_DEVICE))
}

/// Binds the devices to vfio-pci, and returns their sysfs folders.
fn devices() -> Result<Vec<PathBuf>> {
    let devices = fs::read_dir("/sys/bus/pci/devices").unavailable("there is no PCI bus", NO_DEVICE)?;
    let is = |folder: &Path, file: &str, value: &str| {
        fs::read_to_string(folder.join(file)).is_ok_and(|text| text.trim() == value)
    };
    let devices: Vec<PathBuf> = devices
        .flatten()
        .map(|entry| entry.path())
        .filter(|folder| is(folder, "vendor", EDU.0) && is(folder, "device", EDU.1))
        .collect();
    let Some(device) = devices.first() else {
        return Err(Failure::unavailable("there is no edu device", NO_DEVICE));
    };
    // vfio-pci binds all devices with this id at once.
    if !device.join("driver").exists() {
        fs::write("/sys/bus/pci/drivers/vfio-pci/new_id", "1234 11e8")
            .unavailable("cannot give the device to vfio-pci", NO_VFIO)?;
    }
    Ok(devices)
}

fn group_of(device: &Path) -> Result<PathBuf> {
    let group =
        fs::read_link(device.join("iommu_group")).unavailable("the device has no IOMMU", NO_DEVICE)?;
    let name = group
        .file_name()
        .ok_or_else(|| Failure::failed("the device's IOMMU group has no name", BUG))?;
    Ok(Path::new("/dev/vfio").join(name))
}

impl Workload for Vfio {
    fn pin(&mut self) -> Result<PinCounts> {
        self.container()?
            .map(self.buffer.address(), self.buffer.bytes())
            .failing(
                "cannot map the memory",
                "raise the limit of locked memory (ulimit -l)",
            )?;
        let pages = Some((self.buffer.bytes() / PAGE) as u64);
        Ok(PinCounts::lasting(pages, pages))
    }

    fn unpin(&mut self) -> Result<()> {
        self.container()?
            .unmap(self.buffer.bytes())
            .failing("cannot unmap the memory", BUG)
    }

    fn close(&mut self) -> Result<()> {
        self.open = None;
        Ok(())
    }

    fn info(&self) -> WorkloadInfo {
        WorkloadInfo {
            address: self.buffer.address(),
            ..WorkloadInfo::default()
        }
    }

    fn buffer(&mut self) -> Option<&mut Buffer> {
        Some(&mut self.buffer)
    }
}

const MAP_BYTES: u32 = 32;
const UNMAP_BYTES: u32 = 24;
const _: () = assert!(size_of::<Map>() == MAP_BYTES as usize && size_of::<Unmap>() == UNMAP_BYTES as usize);
