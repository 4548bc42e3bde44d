//! Children that have a descriptor open through which a process could hold pins, and that hold none.

use std::fs::OpenOptions;
use std::os::fd::OwnedFd;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::memory::{PAGES, small};
use super::ring::Ring;
use super::situation::Situation;
use crate::child::ForkedChild;
use crate::failure::Result;
use crate::memory::{Buffer, Sharing};
use crate::workload;

/// Devices that a process opens before it pins. Each machine has some of them.
const DEVICES: [&str; 12] = [
    "/dev/udmabuf",
    "/dev/vfio/vfio",
    "/dev/vhost-net",
    "/dev/vhost-vsock",
    "/dev/iommu",
    "/dev/kvm",
    "/dev/infiniband/rdma_cm",
    "/dev/infiniband/uverbs0",
    "/dev/dri/card0",
    "/dev/dri/renderD128",
    "/dev/video0",
    "/dev/fuse",
];

/// Forks one child for each kind of descriptor that this machine offers. The process must have only one thread.
pub(super) fn add_children(situation: &mut Situation) -> Result<()> {
    let device = |path| OpenOptions::new().read(true).write(true).open(path).ok();
    for path in DEVICES {
        add(situation, device(path).map(OwnedFd::from))?;
    }
    add(situation, Some(Ring::new()?.into()))?;
    add(situation, workload::open_xdp_socket().ok())?;
    let memfd = memfd_create(c"idle", MFdFlags::MFD_CLOEXEC).ok();
    add(situation, memfd)?;
    let child = ForkedChild::holding(ring_after_release)?;
    situation.is_innocent(child.pid());
    situation.keep_child(child);
    Ok(())
}

/// A ring that has held pins. The kernel marks the process for ever as one that has pinned.
fn ring_after_release() -> Result<(Ring, Buffer)> {
    let (ring, buffer) = (Ring::new()?, small(PAGES, Sharing::Private)?);
    ring.register(&buffer)?;
    ring.unregister()?;
    Ok((ring, buffer))
}

fn add(situation: &mut Situation, descriptor: Option<OwnedFd>) -> Result<()> {
    if let Some(descriptor) = descriptor {
        let child = ForkedChild::holding(|| Ok(&descriptor))?;
        situation.is_innocent(child.pid());
        situation.keep_child(child);
    }
    Ok(())
}
