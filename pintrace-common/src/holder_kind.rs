//! Kinds of holders: the subsystem whose code pins and releases. A release by the code of one subsystem takes no pins of
//! another subsystem.

/// Numbers of kinds, each the index of its name in [`NAMES`].
pub mod kind {
    /// The subsystem is not known. Any release may take such a pin.
    pub const UNKNOWN: u64 = 0;
    /// io_uring.
    pub const IO_URING: u64 = 1;
    /// AF_XDP.
    pub const AF_XDP: u64 = 2;
    /// udmabuf.
    pub const UDMABUF: u64 = 3;
    /// VFIO.
    pub const VFIO: u64 = 4;
    /// iommufd.
    pub const IOMMUFD: u64 = 5;
    /// RDMA.
    pub const RDMA: u64 = 6;
    /// Direct I/O, and other I/O that takes its pages from an `iov_iter`.
    pub const DIRECT_IO: u64 = 12;
    /// process_vm_readv and process_vm_writev, which release within the call.
    pub const PROCESS_VM: u64 = 13;
}

/// The subsystems by number. The first is for an unknown subsystem.
pub const NAMES: [&str; 14] = [
    "",
    "io_uring",
    "af_xdp",
    "udmabuf",
    "vfio",
    "iommufd",
    "rdma",
    "kvm",
    "drm",
    "nvidia",
    "vhost",
    "v4l2",
    "direct_io",
    "process_vm",
];

/// Beginnings of the names of kernel functions that call pin and unpin functions, by kind. Generic code that other
/// subsystems call is in no kind.
pub const PREFIXES: &[(&str, u64)] = &[
    ("io_", kind::IO_URING),
    ("__io_", kind::IO_URING),
    ("xdp_umem_", kind::AF_XDP),
    ("udmabuf_", kind::UDMABUF),
    ("release_udmabuf", kind::UDMABUF),
    ("deinit_udmabuf", kind::UDMABUF),
    ("unpin_all_folios", kind::UDMABUF),
    ("vfio_", kind::VFIO),
    ("iopt_", kind::IOMMUFD),
    ("pfn_reader_", kind::IOMMUFD),
    ("ib_umem_", kind::RDMA),
    ("__ib_umem_", kind::RDMA),
    ("iov_iter_", kind::DIRECT_IO),
    ("bio_", kind::DIRECT_IO),
    ("__bio_", kind::DIRECT_IO),
    ("dio_", kind::DIRECT_IO),
    ("do_direct_IO", kind::DIRECT_IO),
    ("blkdev_", kind::DIRECT_IO),
    ("iomap_dio_", kind::DIRECT_IO),
    ("nfs_direct_", kind::DIRECT_IO),
    ("netfs_", kind::DIRECT_IO),
    ("fuse_", kind::DIRECT_IO),
    ("process_vm_", kind::PROCESS_VM),
];

/// The beginning of a range of kernel code. The range ends where the next range begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CodeRange {
    /// Address of the first instruction.
    pub start: u64,
    /// One of [`kind`].
    pub kind: u64,
}

/// Maximum number of ranges, a power of two. Kernels have about 2,000.
pub const CODE_RANGES: u32 = 4096;

/// Returns the number of a subsystem; [`kind::UNKNOWN`] for a name that is not in [`NAMES`].
#[must_use]
pub fn number(name: &str) -> u64 {
    let index = NAMES.iter().position(|known| *known == name);
    index.unwrap_or(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_the_places_of_the_names() {
        for (name, kind) in [
            ("", kind::UNKNOWN),
            ("io_uring", kind::IO_URING),
            ("af_xdp", kind::AF_XDP),
            ("udmabuf", kind::UDMABUF),
            ("vfio", kind::VFIO),
            ("iommufd", kind::IOMMUFD),
            ("rdma", kind::RDMA),
            ("direct_io", kind::DIRECT_IO),
            ("process_vm", kind::PROCESS_VM),
        ] {
            assert_eq!(number(name), kind, "{name}");
        }
        assert_eq!(number("no such subsystem"), kind::UNKNOWN);
    }
}
