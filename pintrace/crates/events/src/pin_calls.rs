//! Pin calls: what the calls of an account took and failed with, and the long-term calls in flight.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FileId;
use crate::units::{AccountId, Nanos, Pid, StackId, Tid};

/// Running totals of the pin calls of one account. Short-term calls are only counted if they fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinCallsSampled {
    /// Id of the account.
    pub account: AccountId,
    /// Number of calls whose duration is known, by [`pintrace_common::pin_calls::bucket_of`]. Zeros at the end are left out.
    pub durations: Vec<u64>,
    /// Time that these calls took together.
    pub total: Nanos,
    /// Time that the longest of these calls took.
    pub longest: Nanos,
    /// Calls whose entry no hook saw.
    pub untimed: u64,
    /// Pages that the calls asked for.
    pub wanted: u64,
    /// Pages that the calls pinned.
    pub pinned: u64,
    /// Pages that the calls pinned and dropped again, to migrate pages or because the call failed.
    pub dropped: u64,
    /// Pages that the kernel migrated for the calls, out of ZONE_MOVABLE and CMA pageblocks.
    #[serde(default)]
    pub moved: u64,
    /// Calls that dropped pins and pinned again.
    pub retried: u64,
    /// Registrations: calls of the account without a gap of a second.
    pub registrations: u64,
    /// The latest registration.
    pub latest: Registration,
    /// The registration before, if it was not sampled when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Registration>,
    /// Failed calls by error number; 0 stands for calls that pinned fewer pages than they asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<u32, u64>,
}

/// Long-term pin calls of one account without a gap of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Time at which the first call began.
    pub began: Nanos,
    /// Time at which the last call ended.
    pub ended: Nanos,
    /// Number of calls.
    pub calls: u64,
    /// Pages that the calls asked for.
    pub wanted: u64,
    /// Pages that the calls pinned.
    pub pinned: u64,
}

/// The long-term pin calls in flight at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallsInFlight {
    /// The calls that began first.
    pub calls: Vec<CallInFlight>,
    /// Number of all calls in flight.
    pub number: u64,
}

/// A long-term pin call that had not returned at the time of the sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallInFlight {
    /// Process of the task that makes the call.
    pub pid: Pid,
    /// The task.
    pub tid: Tid,
    /// Command name of the process; empty if unread.
    pub comm: String,
    /// Time of the entry.
    pub began: Nanos,
    /// Pages that the caller asks for.
    pub wanted: u64,
    /// Pages that the call has pinned and dropped again.
    pub dropped: u64,
    /// The call is migrating pages.
    pub migrates: bool,
    /// The account whose code makes the call: the thread holds pins under the account, by the same open file.
    pub account: Option<AccountId>,
    /// Stack of the call, if there is no such account.
    pub stack: Option<StackId>,
    /// The open file on which the call pins; 0 if unknown.
    pub file: FileId,
    /// The descriptor of that file in the process, if known.
    pub descriptor: Option<u32>,
    /// cgroup v2 id of the task.
    pub cgroup: u64,
}
