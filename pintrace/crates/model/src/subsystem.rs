//! The kernel subsystem that pins, named by the first match of a table on the kernel stack.

use serde::{Deserialize, Serialize};

use self::Pattern::{Exact, Prefix};

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
    /// Any other part of the kernel.
    #[default]
    Other,
}

impl Subsystem {
    /// Every subsystem.
    pub const ALL: &'static [Self] = &[
        Self::IoUring,
        Self::Rdma,
        Self::Vfio,
        Self::Iommufd,
        Self::AfXdp,
        Self::Kvm,
        Self::DirectIo,
        Self::ProcessVm,
        Self::Udmabuf,
        Self::V4l2,
        Self::Drm,
        Self::Vhost,
        Self::Other,
    ];

    /// Returns the name in tables, `--json` output and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Rdma => "rdma",
            Self::Vfio => "vfio",
            Self::Iommufd => "iommufd",
            Self::AfXdp => "af_xdp",
            Self::Kvm => "kvm",
            Self::DirectIo => "direct_io",
            Self::ProcessVm => "process_vm",
            Self::Udmabuf => "udmabuf",
            Self::V4l2 => "v4l2",
            Self::Drm => "drm",
            Self::Vhost => "vhost",
            Self::Other => "other",
        }
    }

    /// Returns the subsystem with a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|subsystem| subsystem.as_str() == name)
    }

    /// Returns the subsystem of a kernel stack given as symbols, innermost first; `None` if no rule matches.
    pub fn of_stack<'a>(symbols: &(impl Iterator<Item = &'a str> + Clone)) -> Option<Self> {
        let first = |rules: &[(Pattern, Self)]| symbols.clone().find_map(|symbol| matching(rules, symbol));
        first(OWNERS).or_else(|| first(HELPERS))
    }
}

impl std::fmt::Display for Subsystem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The symbols that a rule matches.
enum Pattern {
    /// One function.
    Exact(&'static str),
    /// Every function with this prefix.
    Prefix(&'static str),
}

/// Returns the subsystem of the first rule for a symbol. Suffixes of the compiler (`.isra.0`, `.constprop.0`) are
/// ignored.
fn matching(rules: &[(Pattern, Subsystem)], symbol: &str) -> Option<Subsystem> {
    let name = symbol.split('.').next().unwrap_or(symbol);
    let rule = rules.iter().find(|(pattern, _)| match pattern {
        Exact(exact) => name == *exact,
        Prefix(prefix) => name.starts_with(prefix),
    });
    rule.map(|(_, subsystem)| *subsystem)
}

/// Functions that belong to one subsystem. The innermost frame with a rule decides. Direct I/O submitted through
/// io_uring counts as direct I/O, although frames of io_uring are further out: therefore no rule names the submission
/// path of io_uring.
const OWNERS: &[(Pattern, Subsystem)] = &[
    (Exact("io_pin_pages"), Subsystem::IoUring),
    (Prefix("io_sqe_buffer"), Subsystem::IoUring),
    (Prefix("io_buffer_account_pin"), Subsystem::IoUring),
    (Prefix("io_register_"), Subsystem::IoUring),
    (Prefix("__io_register_"), Subsystem::IoUring),
    (Prefix("__io_uring_register"), Subsystem::IoUring),
    (Prefix("__io_uaddr_map"), Subsystem::IoUring),
    (Prefix("io_region_"), Subsystem::IoUring),
    (Prefix("io_create_region"), Subsystem::IoUring),
    (Prefix("io_import_umem"), Subsystem::IoUring),
    (Prefix("io_zcrx_"), Subsystem::IoUring),
    (Prefix("ib_umem_"), Subsystem::Rdma),
    (Prefix("__ib_umem_"), Subsystem::Rdma),
    (Exact("siw_umem_get"), Subsystem::Rdma),
    (Prefix("hfi1_"), Subsystem::Rdma),
    (Prefix("qib_"), Subsystem::Rdma),
    (Prefix("usnic_uiom_"), Subsystem::Rdma),
    (Prefix("mthca_"), Subsystem::Rdma),
    (Prefix("rds_"), Subsystem::Rdma),
    (Prefix("pfn_reader_"), Subsystem::Iommufd),
    (Prefix("iopt_"), Subsystem::Iommufd),
    (Prefix("iommufd_"), Subsystem::Iommufd),
    (Prefix("vaddr_get_pfn"), Subsystem::Vfio),
    (Prefix("vfio_"), Subsystem::Vfio),
    (Prefix("xdp_umem_"), Subsystem::AfXdp),
    (Prefix("sev_"), Subsystem::Kvm),
    (Prefix("hva_to_pfn"), Subsystem::Kvm),
    (Prefix("kvm_"), Subsystem::Kvm),
    (Prefix("__kvm_"), Subsystem::Kvm),
    (Prefix("process_vm_rw"), Subsystem::ProcessVm),
    (Prefix("udmabuf_"), Subsystem::Udmabuf),
    (Exact("get_vaddr_frames"), Subsystem::V4l2),
    (Prefix("vb2_"), Subsystem::V4l2),
    (Prefix("videobuf_"), Subsystem::V4l2),
    (Prefix("i915_gem_"), Subsystem::Drm),
    (Prefix("etnaviv_"), Subsystem::Drm),
    (Prefix("exynos_g2d_"), Subsystem::Drm),
    (Prefix("g2d_"), Subsystem::Drm),
    (Prefix("vmw_"), Subsystem::Drm),
    (Exact("hl_pin_host_memory"), Subsystem::Drm),
    (Prefix("amdxdna_"), Subsystem::Drm),
    (Prefix("ivpu_"), Subsystem::Drm),
    (Exact("os_lock_user_pages"), Subsystem::Drm),
    (Prefix("drm_ioctl"), Subsystem::Drm),
    (Prefix("vhost_"), Subsystem::Vhost),
    (Prefix("vduse_"), Subsystem::Vhost),
    (Prefix("af_alg_"), Subsystem::Other),
    (Exact("bpf_obj_pin_uptrs"), Subsystem::Other),
    (Prefix("bio_iov_iter_"), Subsystem::DirectIo),
    (Prefix("__bio_iov_iter_"), Subsystem::DirectIo),
    (Prefix("iomap_dio_"), Subsystem::DirectIo),
    (Prefix("__iomap_dio_"), Subsystem::DirectIo),
    (Prefix("blkdev_direct_IO"), Subsystem::DirectIo),
    (Prefix("__blkdev_direct_IO"), Subsystem::DirectIo),
    (Prefix("do_blockdev_direct_IO"), Subsystem::DirectIo),
    (Prefix("__blockdev_direct_IO"), Subsystem::DirectIo),
    (Prefix("do_direct_IO"), Subsystem::DirectIo),
    (Prefix("dio_refill_pages"), Subsystem::DirectIo),
    (Prefix("fuse_direct_"), Subsystem::DirectIo),
    (Prefix("netfs_extract_user_iter"), Subsystem::DirectIo),
    (Prefix("nfs_file_direct_"), Subsystem::DirectIo),
];

/// Helpers that several subsystems share. These rules decide only if no rule of [`OWNERS`] matches a frame, for example
/// because the stack was lost and only the caller is known.
const HELPERS: &[(Pattern, Subsystem)] = &[
    (Prefix("iov_iter_extract_"), Subsystem::DirectIo),
    (Prefix("iov_iter_get_pages"), Subsystem::DirectIo),
    (Prefix("__iov_iter_get_pages"), Subsystem::DirectIo),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stack: &[&str]) -> Option<Subsystem> {
        Subsystem::of_stack(&stack.iter().copied())
    }

    #[test]
    fn fixed_buffers_belong_to_io_uring() {
        let stack = [
            "pin_user_pages_fast",
            "io_pin_pages",
            "io_sqe_buffer_register.isra.0",
            "__io_uring_register",
        ];
        assert_eq!(of(&stack), Some(Subsystem::IoUring));
    }

    /// In 7.2 `__ib_umem_get_va` calls `pin_user_pages_fast`. A caller alone is known where the stack was lost.
    #[test]
    fn each_caller_of_the_pin_functions_in_umem_c_belongs_to_rdma() {
        for caller in ["ib_umem_get", "__ib_umem_get_va"] {
            assert_eq!(of(&[caller]), Some(Subsystem::Rdma), "{caller}");
        }
    }

    #[test]
    fn direct_io_through_io_uring_is_direct_io() {
        let stack = [
            "pin_user_pages_fast",
            "iov_iter_extract_pages",
            "bio_iov_iter_get_pages",
            "__blkdev_direct_IO_async",
            "blkdev_read_iter",
            "__io_read",
            "io_read",
            "io_issue_sqe",
            "io_submit_sqes",
            "__do_sys_io_uring_enter",
        ];
        assert_eq!(of(&stack), Some(Subsystem::DirectIo));
        assert_eq!(of(&stack[..2]), Some(Subsystem::DirectIo));
    }

    #[test]
    fn the_caller_of_a_shared_helper_decides_the_subsystem() {
        let stack = ["iov_iter_extract_pages", "extract_iter_to_sg", "af_alg_sendmsg"];
        assert_eq!(of(&stack), Some(Subsystem::Other));
    }

    #[test]
    fn vfio_through_iommufd_is_iommufd() {
        let stack = [
            "pin_user_pages_remote",
            "pfn_reader_user_pin",
            "iopt_map_pages",
            "iommufd_vfio_ioctl",
            "vfio_x",
        ];
        assert_eq!(of(&stack), Some(Subsystem::Iommufd));
    }

    #[test]
    fn a_stack_without_known_functions_has_no_subsystem() {
        assert_eq!(of(&["pin_user_pages", "my_driver_ioctl"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn names_parse_back_and_match_serde() {
        for &subsystem in Subsystem::ALL {
            assert_eq!(Subsystem::parse(subsystem.as_str()), Some(subsystem));
            let json = serde_json::to_string(&subsystem).unwrap();
            assert_eq!(json, format!("\"{subsystem}\""));
        }
    }
}
