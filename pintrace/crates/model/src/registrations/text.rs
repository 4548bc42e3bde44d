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
    if failed.errno == EPERM {
        return "no limit causes this error; kernel.io_uring_disabled or a security policy may".to_owned();
    }
    if !LIMIT_ERRORS.contains(&failed.errno) {
        return "no limit causes this error".to_owned();
    }
    if failed.exempt {
        return "the process has CAP_IPC_LOCK, which lifts RLIMIT_MEMLOCK unless the ring was made without it".to_owned();
    }
    let Some(limit) = failed.limit else {
        return "RLIMIT_MEMLOCK is unlimited".to_owned();
    };
    let limit_text = text::bytes(limit);
    let needed = failed
        .user_locked
        .saturating_mul(4096)
        .saturating_add(failed.wanted.unwrap_or(0));
    let room = if failed.wanted.is_some() && !failed.wants_more && needed <= limit {
        "; that leaves room for the request, unless it is in large folios, which the kernel charges whole"
    } else {
        ""
    };
    format!("RLIMIT_MEMLOCK is {limit_text}, of which {}{room}", used(one))
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
    text::bytes(pages.saturating_mul(4096))
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
