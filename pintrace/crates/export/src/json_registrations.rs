//! Renders the JSON of failed registrations.

use std::borrow::Cow;

use serde::Serialize;

use pintrace_model::pin_calls::errno;
use pintrace_model::registrations::{FailedRegistration, call_name, sentence};
use pintrace_model::snapshot::Snapshot;

/// Registrations of a process that failed alike. All figures but `count` are those of the last one.
#[derive(Serialize)]
pub(super) struct FailedRegistrationKeys<'a> {
    pid: u32,
    comm: &'a str,
    uid: u32,
    call: Cow<'static, str>,
    errno: Cow<'static, str>,
    count: u64,
    /// Time since the last one.
    age_ns: u64,
    /// Bytes asked for; `null` if unknown.
    wanted_bytes: Option<u64>,
    /// The call asked for more than `wanted_bytes`.
    wants_more: bool,
    /// `RLIMIT_MEMLOCK`; `null` for no limit.
    limit_bytes: Option<u64>,
    /// The process has CAP_IPC_LOCK in the initial user namespace.
    exempt: bool,
    /// Pages charged to the user.
    user_locked_pages: u64,
    vm_pin_pages: u64,
    vm_lck_pages: u64,
    /// Pages that the processes of the user held by io_uring and AF_XDP.
    held_by_user_pages: u64,
    holders: Vec<HolderKeys<'a>>,
    sentence: String,
}

/// A process of the same user that holds long-term pins.
#[derive(Serialize)]
struct HolderKeys<'a> {
    pid: u32,
    comm: &'a str,
    pages_held: u64,
}

impl<'a> FailedRegistrationKeys<'a> {
    /// Returns all failed registrations of a snapshot.
    pub(super) fn all(snapshot: &'a Snapshot) -> Vec<Self> {
        let failed = snapshot.failed_registrations.iter();
        failed
            .map(|one| Self::new(one, snapshot.time.since(one.failed.last).0))
            .collect()
    }

    fn new(one: &'a FailedRegistration, age_ns: u64) -> Self {
        let failed = &one.failed;
        let holders = one.holders.iter().map(|(pid, comm, pages_held)| HolderKeys {
            pid: pid.0,
            comm,
            pages_held: *pages_held,
        });
        Self {
            pid: failed.pid.0,
            comm: &failed.comm,
            uid: failed.uid,
            call: call_name(failed.kind, failed.operation),
            errno: errno::name(failed.errno),
            count: failed.count,
            age_ns,
            wanted_bytes: failed.wanted,
            wants_more: failed.wants_more,
            limit_bytes: failed.limit,
            exempt: failed.exempt,
            user_locked_pages: failed.user_locked,
            vm_pin_pages: failed.mm_pinned,
            vm_lck_pages: failed.mm_locked,
            held_by_user_pages: one.held_by_user,
            holders: holders.collect(),
            sentence: sentence(one),
        }
    }
}
