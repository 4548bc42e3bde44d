//! Accounts: what one thread pins through one caller into one address space.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_comm, bpf_ktime_get_ns, generated::bpf_get_current_cgroup_id},
};
use pintrace_common::{
    counters::Loss,
    ledger::{Account, AccountKey, PinningProcess},
    limits, wire,
};

use crate::map_ref::{Lookup, word};
use crate::{
    compat::locks::{self, LockTarget},
    count, maps, ring,
    stacks::Opened,
};

/// The account that takes what finds no other.
pub const UNATTRIBUTED: u32 = 0;

/// Finds the account of a pin, or opens it.
#[inline(always)]
pub fn find_or_open(ctx: *mut c_void, key: &AccountKey, opened: &mut Opened) -> u32 {
    let recent = maps::RECENT.at(key.tid() & (limits::RECENT - 1));
    // A thread mostly pins through one caller: a comparison instead of hashing the key.
    if let Some(recent) = recent {
        // Another thread may have written it: the comparison with the account's own key tells.
        let id = recent.load();
        if maps::ACCOUNTS.get(id).is_some_and(|account| account.key == *key) {
            return id;
        }
    }
    let id = if let Some(id) = maps::ACCOUNT_IDS.at(key) {
        id.copy()
    } else {
        let stack = opened.stack(ctx);
        let id = pintrace_account_open(key.mm, key.caller, key.pid_tgid, key.kind(), stack);
        if id == UNATTRIBUTED {
            count::loss(Loss::AccountTableFull, 1);
        }
        opened.account(id);
        id
    };
    if let Some(recent) = recent {
        recent.store(id);
    }
    id
}

/// Opens an account; [`UNATTRIBUTED`] if there is no room. A global function: the verifier follows it once, and not at
/// every call. `kind` is [`AccountKey::kind`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_account_open(mm: u64, caller: u64, pid_tgid: u64, kind: u64, stack: i64) -> u32 {
    let slot = next_id().and_then(|id| Some((id, maps::ACCOUNTS.at(id)?)));
    let Some((id, account)) = slot else {
        return UNATTRIBUTED;
    };
    let key = AccountKey {
        mm,
        caller,
        pid_tgid,
        longterm: kind as u32,
        started: (kind >> 32) as u32,
    };
    let now = time();
    // The id is fresh: nobody else knows this account yet.
    account.write(Account {
        key,
        acquired: 0,
        released: 0,
        bytes_held: 0,
        calls: 0,
        held_since_ns: now,
        opened_ns: now,
        // SAFETY: no arguments.
        cgroup: unsafe { bpf_get_current_cgroup_id() },
        stack,
        last_extent: 0,
        comm: bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]),
    });
    if maps::ACCOUNT_IDS.insert(key, id, u64::from(BPF_NOEXIST)).is_err() {
        // The key holds the thread's id, so nobody else can have opened it: the table is full.
        let _ = maps::FREE_ACCOUNTS.push(id, 0);
        return UNATTRIBUTED;
    }
    // Fails if it has one already, which keeps its count.
    let owner = PinningProcess {
        longterm_pages_held: 0,
        since_ns: now,
    };
    let _ = maps::PROCESSES.insert(key.tgid(), owner, u64::from(BPF_NOEXIST));
    let header = wire::Header {
        kind: wire::kind::ACCOUNT_OPENED,
        id,
        time_ns: now,
    };
    // The slot was filled above.
    let account = account.copy();
    ring::emit(wire::AccountOpened { header, account });
    id
}

/// Adds a successful pin call to an account.
#[inline(always)]
pub fn credit(id: u32, pages: u64) {
    let Some(account) = maps::ACCOUNTS.at(id) else {
        return;
    };
    let before = word!(account.acquired).fetch_add(pages);
    word!(account.calls).add(1);
    if before == word!(account.released).load() {
        word!(account.held_since_ns).store(time());
    }
}

/// Monotonic time in ns.
#[inline(always)]
pub fn time() -> u64 {
    // SAFETY: no arguments.
    unsafe { bpf_ktime_get_ns() }
}

#[inline(always)]
fn next_id() -> Option<u32> {
    if let Ok(Some(id)) = maps::FREE_ACCOUNTS.pop() {
        return Some(id);
    }
    let next = maps::NEXT_IDS.at(0)?;
    let lock = locks::lock(LockTarget::Ids)?;
    // Id 0 is never given out.
    let id = next.word().fetch_add(1) + 1;
    lock.unlock();
    u32::try_from(id).ok()
}
