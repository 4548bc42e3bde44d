//! Who pins: the kernel subsystem, named by the first match on the kernel stack. The table is data.

use serde::{Deserialize, Serialize};

/// A part of the kernel that pins user memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subsystem {
    /// io_uring: fixed buffers, rings, buffer rings, zero-copy receive.
    IoUring,
    /// RDMA memory regions.
    Rdma,
    /// VFIO type 1 mappings.
    Vfio,
    /// iommufd mappings.
    Iommufd,
    /// AF_XDP packet memory.
    AfXdp,
    /// KVM, and SEV guests' memory.
    Kvm,
    /// Direct I/O.
    DirectIo,
    /// process_vm_readv and process_vm_writev.
    ProcessVm,
    /// udmabuf.
    Udmabuf,
    /// V4L2 user pointers.
    V4l2,
    /// Graphics and accelerator user pointers.
    Drm,
    /// vhost, vdpa and vduse.
    Vhost,
    /// None of the above.
    #[default]
    Other,
}
