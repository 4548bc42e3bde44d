//! Counts registrations of memory that fail, with the limit and what is used of it.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{
        bpf_get_current_comm, bpf_get_current_pid_tgid,
        generated::{bpf_get_current_cgroup_id, bpf_probe_read_user},
    },
};
use pintrace_common::{
    counters::Loss,
    facts::Facts,
    limits,
    registrations::{FailedRegistration, FailureKey, MOST_BUFFERS, operation},
};

use crate::map_ref::{Lookup, set, word};
use crate::{clock, count, facts::FACTS, kernel, maps};

/// `RLIMIT_MEMLOCK` (include/uapi/asm-generic/resource.h).
const MEMLOCK: u64 = 8;
/// Bytes of a `struct rlimit`.
const RLIMIT_BYTES: u64 = 16;
/// The bit of CAP_IPC_LOCK (include/uapi/linux/capability.h).
const CAP_IPC_LOCK: u32 = 1 << 14;

/// Returns the error number in the result of a function; `None` for success. Errors are -4095 to -1, also for functions that
/// return a pointer (`IS_ERR`, include/linux/err.h).
#[inline(always)]
pub fn errno_of(result: i64) -> Option<u32> {
    const MOST_ERRNO: u64 = 4095;
    let error = (result as u64).wrapping_neg();
    (error.wrapping_sub(1) < MOST_ERRNO).then_some(error as u32)
}

/// Counts a registration that failed. `wanted` is the number of bytes, and 1 if the call asked for more.
#[inline(always)]
pub fn count(kind: u32, operation: u32, errno: u32, wanted: (u64, u64)) {
    let key = FailureKey {
        tgid: (bpf_get_current_pid_tgid() >> 32) as u32,
        kind,
        operation,
        errno,
    };
    let failed = maps::FAILED_REGISTRATIONS.at(key).or_else(|| {
        // Another thread of the process may make the entry at the same time.
        let flags = u64::from(BPF_NOEXIST);
        let _ = maps::FAILED_REGISTRATIONS.insert(key, FailedRegistration::NONE, flags);
        maps::FAILED_REGISTRATIONS.at(key)
    });
    let Some(failed) = failed else {
        count::loss(Loss::RegistrationsFull, 1);
        return;
    };
    set!(failed.wanted = wanted.0);
    set!(failed.wants_more = wanted.1);
    // SAFETY: no arguments.
    set!(failed.cgroup = unsafe { bpf_get_current_cgroup_id() });
    set!(failed.comm = bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]));
    let task = kernel::current_task();
    let signal = kernel::u64_at(task + u64::from(FACTS.task_signal()));
    let limits = signal + u64::from(FACTS.signal_rlim());
    set!(failed.limit = kernel::u64_at(limits + MEMLOCK * RLIMIT_BYTES));
    let mm = kernel::current_mm();
    set!(failed.mm_pinned = kernel::u64_at(mm + u64::from(FACTS.mm_pinned_vm())));
    set!(failed.mm_locked = kernel::u64_at(mm + u64::from(FACTS.mm_locked_vm())));
    let cred = kernel::u64_at(task + u64::from(FACTS.task_cred()));
    let capabilities = kernel::u32_at(cred + u64::from(FACTS.cred_cap_effective()));
    // `capable` asks for the capability in the initial user namespace.
    let namespace = kernel::u64_at(cred + u64::from(FACTS.cred_user_ns()));
    let is_initial = kernel::u32_at(namespace + u64::from(FACTS.user_ns_level())) == 0;
    set!(failed.exempt = u64::from(capabilities & CAP_IPC_LOCK != 0 && is_initial));
    set!(failed.uid = u64::from(kernel::u32_at(cred + u64::from(FACTS.cred_uid()))));
    let user = kernel::u64_at(cred + u64::from(FACTS.cred_user()));
    if FACTS.user_locked_vm() != Facts::ABSENT {
        set!(failed.user_locked = kernel::u64_at(user + u64::from(FACTS.user_locked_vm())));
    }
    set!(failed.last_ns = clock::time());
    // Last: user space takes an entry without a count for one that is being written.
    word!(failed.count).add(1);
}

/// Returns the bytes that an operation of io_uring_register asks for, and 1 if there is more. `argument` is the address of
/// its structure and `entries` its number of entries.
#[inline(always)]
pub fn wanted_by_io_uring(operation: u32, argument: u64, entries: u64) -> (u64, u64) {
    match operation {
        operation::BUFFERS => lengths(argument, entries as u32),
        // struct io_uring_rsrc_register: nr, flags, resv2, data, tags.
        operation::BUFFERS2 => lengths(user_u64(argument + 16), user_u64(argument) as u32),
        // struct io_uring_rsrc_update2: offset, resv, data, tags, nr, resv2.
        operation::BUFFERS_UPDATE => lengths(user_u64(argument + 8), user_u64(argument + 24) as u32),
        // struct io_uring_buf_reg: ring_addr, ring_entries; an entry is a struct io_uring_buf of 16 bytes.
        operation::PBUF_RING => (u64::from(user_u64(argument + 8) as u32) * 16, 0),
        _ => (0, 0),
    }
}

/// Adds up the lengths of an array of `struct iovec`.
#[inline(always)]
fn lengths(array: u64, entries: u32) -> (u64, u64) {
    let mut sum = 0u64;
    let mut index = 0;
    while index < MOST_BUFFERS && index < entries {
        // struct iovec: iov_base, iov_len.
        sum = sum.wrapping_add(user_u64(array + u64::from(index) * 16 + 8));
        index += 1;
    }
    (sum, u64::from(entries > MOST_BUFFERS))
}

/// Returns a u64 of user memory; 0 if the memory cannot be read.
#[inline(always)]
pub fn user_u64(address: u64) -> u64 {
    let mut value = 0u64;
    // SAFETY: a valid destination. The helper checks the address, and leaves zeros if it cannot read.
    unsafe { bpf_probe_read_user((&raw mut value).cast(), 8, address as *const _) };
    value
}
