//! Sentences about failed registrations.

use std::borrow::Cow;

use pintrace_common::registrations::{kind, operation};
use pintrace_text::counted;

use crate::pin_calls::errno;
use crate::text;

use super::FailedRegistration;

/// Errors with which the kernel refuses memory beyond RLIMIT_MEMLOCK: ENOMEM, and ENOBUFS for AF_XDP
/// (`xdp_umem_account_pages`, net/xdp/xdp_umem.c).
const LIMIT_ERRORS: [u32; 2] = [12, 105];
/// EPERM.
const EPERM: u32 = 1;
/// ENOSPC.
const ENOSPC: u32 = 28;
const PAGE: u64 = 4096;
const NO_LIMIT: &str = "no limit causes this error";

/// The count that the kernel compares with RLIMIT_MEMLOCK.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ChargedTo {
    /// `user_struct.locked_vm`: of all processes of the user.
    User,
    /// `mm_struct.pinned_vm`, of the process alone (`ib_umem_get`, drivers/infiniband/core/umem.c).
    PinnedOfProcess,
    /// `mm_struct.locked_vm`, of the process alone (`vfio_pin_pages_remote`, drivers/vfio/vfio_iommu_type1.c).
    LockedOfProcess,
}

impl ChargedTo {
    /// Returns the count for a kind of registration.
    pub(super) const fn of(kind: u32) -> Self {
        match kind {
            kind::RDMA => Self::PinnedOfProcess,
            kind::VFIO_MAP_DMA => Self::LockedOfProcess,
            _ => Self::User,
        }
    }
}

/// Returns the name of the call that failed.
#[must_use]
pub fn call_name(kind: u32, operation: u32) -> Cow<'static, str> {
    let name = match operation {
        operation::BUFFERS => "IORING_REGISTER_BUFFERS",
        operation::BUFFERS2 => "IORING_REGISTER_BUFFERS2",
        operation::BUFFERS_UPDATE => "IORING_REGISTER_BUFFERS_UPDATE",
        operation::PBUF_RING => "IORING_REGISTER_PBUF_RING",
        operation::CLONE_BUFFERS => "IORING_REGISTER_CLONE_BUFFERS",
        operation::ZCRX_IFQ => "IORING_REGISTER_ZCRX_IFQ",
        operation::RESIZE_RINGS => "IORING_REGISTER_RESIZE_RINGS",
        operation::MEM_REGION => "IORING_REGISTER_MEM_REGION",
        _ => "",
    };
    match kind {
        kind::IO_URING_REGISTER if name.is_empty() => format!("io_uring_register({operation})").into(),
        kind::IO_URING_REGISTER => format!("io_uring_register({name})").into(),
        kind::IO_URING_SETUP => "io_uring_setup".into(),
        kind::XDP_UMEM_REG => "setsockopt(XDP_UMEM_REG)".into(),
        kind::RDMA => "ibv_reg_mr (ib_umem_get)".into(),
        kind::VFIO_MAP_DMA => "ioctl(VFIO_IOMMU_MAP_DMA)".into(),
        kind => format!("registration {kind}").into(),
    }
}

/// Returns one sentence on what was refused, by which limit, and what is using the limit.
#[must_use]
pub fn sentence(one: &FailedRegistration) -> String {
    let failed = &one.failed;
    let wanted = match failed.wanted {
        None => String::new(),
        Some(bytes) if failed.wants_more => format!(" for at least {}", text::bytes(bytes)),
        Some(bytes) => format!(" for {}", text::bytes(bytes)),
    };
    let times = match failed.count {
        1 => String::new(),
        count => format!(", {}", counted(count, "time")),
    };
    format!(
        "{} ({}) was refused {}{wanted} with {}{times}: {}.",
        text::printable(&failed.comm),
        failed.pid.0,
        call_name(failed.kind, failed.operation),
        errno::name(failed.errno),
        reason(one)
    )
}

fn reason(one: &FailedRegistration) -> String {
    let failed = &one.failed;
    let charged_to = ChargedTo::of(failed.kind);
    match (failed.kind, failed.errno) {
        // `can_do_mlock` (mm/mlock.c).
        (kind::RDMA, EPERM) if failed.limit == Some(0) && !failed.exempt => {
            return "RLIMIT_MEMLOCK is 0 B, and the process has no CAP_IPC_LOCK".to_owned();
        }
        (kind::IO_URING_REGISTER | kind::IO_URING_SETUP | kind::XDP_UMEM_REG, EPERM) => {
            return format!("{NO_LIMIT}; kernel.io_uring_disabled or a security policy may");
        }
        (kind::VFIO_MAP_DMA, ENOSPC) => {
            return "the container has as many mappings as the parameter dma_entry_limit of vfio_iommu_type1 \
                    allows"
                .to_owned();
        }
        (_, errno) if !LIMIT_ERRORS.contains(&errno) => return NO_LIMIT.to_owned(),
        _ => {}
    }
    if failed.exempt {
        let unless = if charged_to == ChargedTo::User {
            " unless the ring was made without it"
        } else {
            ""
        };
        return format!("the process has CAP_IPC_LOCK, which lifts RLIMIT_MEMLOCK{unless}");
    }
    let Some(limit) = failed.limit else {
        return "RLIMIT_MEMLOCK is unlimited".to_owned();
    };
    let limit_text = text::bytes(limit);
    let (charged, what) = match charged_to {
        ChargedTo::User => (failed.user_locked, ""),
        ChargedTo::PinnedOfProcess => (failed.mm_pinned, "VmPin"),
        ChargedTo::LockedOfProcess => (failed.mm_locked, "VmLck"),
    };
    let room = match failed.wanted {
        Some(wanted) if !failed.wants_more && has_room(charged_to, charged, wanted, limit) => {
            if charged_to == ChargedTo::User {
                "; that leaves room for the request, unless it is in large folios, which the kernel charges whole"
            } else {
                "; that leaves room for the request, unless other threads were registering memory"
            }
        }
        _ => "",
    };
    let used = match (charged_to, charged) {
        (ChargedTo::User, _) => used(one),
        (_, 0) => format!("the process used nothing ({what})"),
        (_, charged) => format!("the process used {} ({what})", pages(charged)),
    };
    format!("RLIMIT_MEMLOCK is {limit_text}, of which {used}{room}")
}

/// Returns true if the limit leaves room for a request.
const fn has_room(charged_to: ChargedTo, charged: u64, wanted: u64, limit: u64) -> bool {
    let wanted = match charged_to {
        ChargedTo::User => wanted,
        // Memory that begins inside a page needs one page more.
        _ => wanted.div_ceil(PAGE).saturating_add(1).saturating_mul(PAGE),
    };
    charged.saturating_mul(PAGE).saturating_add(wanted) <= limit
}

/// Returns the used part of the limit, and its users.
fn used(one: &FailedRegistration) -> String {
    let failed = &one.failed;
    let uid = failed.uid;
    if failed.user_locked == 0 && failed.mm_pinned == 0 && failed.mm_locked == 0 && one.holders.is_empty() {
        return format!("user {uid} used nothing");
    }
    let charged = format!(
        "user {uid} used {} (the process itself: VmPin {}, VmLck {})",
        pages(failed.user_locked),
        pages(failed.mm_pinned),
        pages(failed.mm_locked)
    );
    if one.holders.is_empty() {
        return format!("{charged}; pintrace saw no process of the user that held such pins");
    }
    let named = one
        .holders
        .iter()
        .map(|(pid, comm, held)| format!("{} ({}) {}", text::printable(comm), pid.0, pages(*held)));
    format!(
        "{charged}; the user's processes held {} by io_uring and AF_XDP: {}",
        pages(one.held_by_user),
        named.collect::<Vec<_>>().join(", ")
    )
}

fn pages(pages: u64) -> String {
    text::bytes(pages.saturating_mul(PAGE))
}

#[cfg(test)]
mod tests {
    use pintrace_events::RegistrationFailed;
    use pintrace_events::units::Pid;

    use super::*;

    fn refused() -> FailedRegistration {
        FailedRegistration {
            failed: RegistrationFailed {
                pid: Pid(42),
                comm: "database".to_owned(),
                kind: kind::IO_URING_REGISTER,
                operation: operation::BUFFERS,
                errno: 12,
                count: 3,
                wanted: Some(256 << 10),
                limit: Some(64 << 10),
                user_locked: 8,
                mm_pinned: 8,
                uid: 1000,
                ..RegistrationFailed::default()
            },
            holders: vec![(Pid(7), "fio".to_owned(), 8)],
            held_by_user: 8,
        }
    }

    #[test]
    fn a_refusal_names_the_limit_and_its_users() {
        assert_eq!(
            sentence(&refused()),
            "database (42) was refused io_uring_register(IORING_REGISTER_BUFFERS) for 256 KiB with ENOMEM, 3 times: \
             RLIMIT_MEMLOCK is 64 KiB, of which user 1000 used 32 KiB (the process itself: VmPin 32 KiB, VmLck 0 B); the \
             user's processes held 32 KiB by io_uring and AF_XDP: fio (7) 32 KiB."
        );
    }

    const ROOM: &str = "leaves room for the request, unless it is in large folios";

    #[test]
    fn a_limit_is_not_blamed_without_need() {
        let reason_of = |change: fn(&mut FailedRegistration)| {
            let mut one = refused();
            change(&mut one);
            reason(&one)
        };
        assert!(reason_of(|one| one.failed.limit = Some(1 << 30)).contains(ROOM));
        // The size counts only the first buffers.
        let reason = reason_of(|one| {
            one.failed.limit = Some(1 << 30);
            one.failed.wants_more = true;
        });
        assert!(!reason.contains(ROOM), "{reason}");
        assert!(reason_of(|one| one.failed.exempt = true).starts_with("the process has CAP_IPC_LOCK"));
        assert!(reason_of(|one| one.failed.errno = 1).contains("kernel.io_uring_disabled"));
        assert_eq!(
            reason_of(|one| one.failed.limit = None),
            "RLIMIT_MEMLOCK is unlimited"
        );
        assert_eq!(
            reason_of(|one| one.failed.errno = 14),
            "no limit causes this error"
        );
    }

    #[test]
    fn registrations_that_are_charged_to_the_process_name_its_count_alone() {
        let mut one = refused();
        one.failed.mm_locked = 3;
        one.failed.count = 1;
        one.failed.kind = kind::RDMA;
        one.failed.operation = 0;
        assert_eq!(
            sentence(&one),
            "database (42) was refused ibv_reg_mr (ib_umem_get) for 256 KiB with ENOMEM: RLIMIT_MEMLOCK is 64 KiB, of \
             which the process used 32 KiB (VmPin)."
        );
        one.failed.kind = kind::VFIO_MAP_DMA;
        assert_eq!(
            sentence(&one),
            "database (42) was refused ioctl(VFIO_IOMMU_MAP_DMA) for 256 KiB with ENOMEM: RLIMIT_MEMLOCK is 64 KiB, of \
             which the process used 12 KiB (VmLck)."
        );
        one.failed.mm_locked = 0;
        assert!(reason(&one).ends_with("the process used nothing (VmLck)"));
        // 60 KiB that begin inside a page need 64 KiB.
        one.failed.wanted = Some(60 << 10);
        assert!(reason(&one).ends_with("unless other threads were registering memory"));
        one.failed.mm_locked = 1;
        assert!(!reason(&one).contains("room"), "{}", reason(&one));
        one.failed.exempt = true;
        assert_eq!(
            reason(&one),
            "the process has CAP_IPC_LOCK, which lifts RLIMIT_MEMLOCK"
        );
    }

    #[test]
    fn other_limits_than_memlock_are_named() {
        let mut one = refused();
        (one.failed.kind, one.failed.errno, one.failed.limit) = (kind::RDMA, EPERM, Some(0));
        assert_eq!(
            reason(&one),
            "RLIMIT_MEMLOCK is 0 B, and the process has no CAP_IPC_LOCK"
        );
        one.failed.limit = Some(4096);
        assert_eq!(reason(&one), NO_LIMIT);
        (one.failed.kind, one.failed.errno) = (kind::VFIO_MAP_DMA, ENOSPC);
        assert!(reason(&one).contains("dma_entry_limit"));
        one.failed.kind = kind::RDMA;
        assert_eq!(reason(&one), NO_LIMIT);
    }

    #[test]
    fn unused_limits_and_unknown_users_are_said() {
        let mut one = refused();
        one.holders.clear();
        assert!(
            reason(&one).ends_with("VmLck 0 B); pintrace saw no process of the user that held such pins")
        );
        one.failed.user_locked = 0;
        one.failed.mm_pinned = 0;
        assert_eq!(
            reason(&one),
            "RLIMIT_MEMLOCK is 64 KiB, of which user 1000 used nothing"
        );
        // The call does not say how much it wants.
        one.failed.wanted = None;
        one.failed.user_locked = 2;
        assert!(reason(&one).starts_with("RLIMIT_MEMLOCK is 64 KiB, of which user 1000 used 8 KiB"));
    }

    #[test]
    fn calls_without_a_name_stay_numbers() {
        assert_eq!(call_name(kind::IO_URING_REGISTER, 99), "io_uring_register(99)");
        assert_eq!(call_name(77, 0), "registration 77");
    }
}
