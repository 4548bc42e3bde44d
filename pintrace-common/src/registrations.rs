//! Registrations of memory that the kernel refuses: what was asked for, and which limit was how full.

/// The function that refuses.
pub mod kind {
    /// `io_uring_register` (io_uring/register.c).
    pub const IO_URING_REGISTER: u32 = 1;
    /// `io_uring_setup` (io_uring/io_uring.c).
    pub const IO_URING_SETUP: u32 = 2;
    /// `xdp_umem_create` (net/xdp/xdp_umem.c): setsockopt with `XDP_UMEM_REG`.
    pub const XDP_UMEM_REG: u32 = 3;
    /// `ib_umem_get`, `__ib_umem_get_va` on newer kernels (drivers/infiniband/core/umem.c): `ibv_reg_mr`.
    pub const RDMA: u32 = 4;
    /// `vfio_iommu_type1_ioctl` (drivers/vfio/vfio_iommu_type1.c): `VFIO_IOMMU_MAP_DMA`.
    pub const VFIO_MAP_DMA: u32 = 5;
}

/// Operations of `io_uring_register` (include/uapi/linux/io_uring.h) that pin memory or charge it to a limit.
pub mod operation {
    /// `IORING_REGISTER_BUFFERS`.
    pub const BUFFERS: u32 = 0;
    /// `IORING_REGISTER_BUFFERS2`.
    pub const BUFFERS2: u32 = 15;
    /// `IORING_REGISTER_BUFFERS_UPDATE`.
    pub const BUFFERS_UPDATE: u32 = 16;
    /// `IORING_REGISTER_PBUF_RING`.
    pub const PBUF_RING: u32 = 22;
    /// `IORING_REGISTER_CLONE_BUFFERS`.
    pub const CLONE_BUFFERS: u32 = 30;
    /// `IORING_REGISTER_ZCRX_IFQ`.
    pub const ZCRX_IFQ: u32 = 32;
    /// `IORING_REGISTER_RESIZE_RINGS`.
    pub const RESIZE_RINGS: u32 = 33;
    /// `IORING_REGISTER_MEM_REGION`.
    pub const MEM_REGION: u32 = 34;

    /// Returns true if an operation pins memory or charges it to a limit.
    #[inline]
    #[must_use]
    pub const fn registers_memory(operation: u32) -> bool {
        const MASK: u64 = 1 << BUFFERS
            | 1 << BUFFERS2
            | 1 << BUFFERS_UPDATE
            | 1 << PBUF_RING
            | 1 << CLONE_BUFFERS
            | 1 << ZCRX_IFQ
            | 1 << RESIZE_RINGS
            | 1 << MEM_REGION;
        operation < u64::BITS && MASK >> operation & 1 != 0
    }
}

/// Identity of registrations that fail alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FailureKey {
    /// Process.
    pub tgid: u32,
    /// One of [`kind`].
    pub kind: u32,
    /// One of [`operation`]; 0 for other calls than `io_uring_register`.
    pub operation: u32,
    /// Error number.
    pub errno: u32,
}

/// Registrations that failed alike, with the figures at the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct FailedRegistration {
    /// Number of registrations.
    pub count: u64,
    /// Time of the last one (monotonic ns).
    pub last_ns: u64,
    /// Bytes that the last one asked for; 0 if unknown.
    pub wanted: u64,
    /// 1 if the last one asked for more than `wanted`, which only counts the first [`MOST_BUFFERS`] buffers.
    pub wants_more: u64,
    /// `RLIMIT_MEMLOCK` of the process in bytes; `u64::MAX` for no limit.
    pub limit: u64,
    /// 1 if the process has CAP_IPC_LOCK in the initial user namespace.
    pub exempt: u64,
    /// `user_struct.locked_vm`, in pages.
    pub user_locked: u64,
    /// `mm_struct.pinned_vm` (`VmPin`), in pages.
    pub mm_pinned: u64,
    /// `mm_struct.locked_vm` (`VmLck`), in pages.
    pub mm_locked: u64,
    /// Real user id.
    pub uid: u64,
    /// cgroup v2 id.
    pub cgroup: u64,
    /// Command name of the thread.
    pub comm: [u8; crate::limits::COMM_BYTES],
}

impl FailedRegistration {
    /// The figures before the first failure.
    pub const NONE: Self = Self {
        count: 0,
        last_ns: 0,
        wanted: 0,
        wants_more: 0,
        limit: 0,
        exempt: 0,
        user_locked: 0,
        mm_pinned: 0,
        mm_locked: 0,
        uid: 0,
        cgroup: 0,
        comm: [0; crate::limits::COMM_BYTES],
    };
}

/// Most buffers of one registration whose lengths are added up.
pub const MOST_BUFFERS: u32 = 64;

#[cfg(test)]
mod tests {
    use super::operation::*;

    #[test]
    fn only_operations_on_memory_count() {
        /// `IORING_REGISTER_FILES`, `IORING_REGISTER_PROBE`.
        const OTHERS: [u32; 2] = [2, 8];
        assert!(
            [BUFFERS, BUFFERS2, PBUF_RING, MEM_REGION]
                .into_iter()
                .all(registers_memory)
        );
        assert!(!OTHERS.into_iter().any(registers_memory));
        assert!(!registers_memory(64) && !registers_memory(u32::MAX));
    }
}
