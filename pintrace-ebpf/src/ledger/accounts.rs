//! Accounts: running totals of what one thread pins through one caller into one mm.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_comm, generated::bpf_get_current_cgroup_id},
};
use pintrace_common::{
    counters::Loss,
    ledger::{Account, AccountKey, PinningProcess},
    limits, wire,
};

use crate::map_ref::{Lookup, get, word};
use crate::{
    clock,
    compat::locks::{self, LockTarget},
    count, kernel,
    ledger::code_kind,
    maps, observer, ring,
    stacks::Opened,
};

/// Id of the account that collects the pins for which no account is free.
pub const UNATTRIBUTED: u32 = 0;

/// Returns the id of the account for a pin, and opens the account if there is none.
#[inline(always)]
pub fn find_or_open(ctx: *mut c_void, key: &AccountKey, opened: &mut Opened) -> u32 {
    let recent = maps::RECENT.at(key.tid() & (limits::RECENT - 1));
    // A thread mostly pins through one caller. A comparison is cheaper than hashing the key.
    if let Some(recent) = recent {
        // Another thread may have stored the id. The comparison with the account's own key detects such an id.
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

/// Returns the account that a thread used last if its latest extent is one of this open file, else 0. While the extent has
/// pins, the file keeps its address. The exception is udmabuf, whose pins outlive the open device: a file of another subsystem
/// may get the address then. The account spares a stack, which takes as long as pinning some hundred pages.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_recent_on_file(thread: u64, file: u64) -> u64 {
    if file == 0 {
        return 0;
    }
    let Some(recent) = maps::RECENT.at(thread as u32 & (limits::RECENT - 1)) else {
        return 0;
    };
    let id = recent.load();
    let Some(account) = maps::ACCOUNTS.at(id) else {
        return 0;
    };
    let latest = get!(account.last_extent);
    if latest == 0 || get!(account.key.pid_tgid) != thread {
        return 0;
    }
    match maps::EXTENTS.at((latest - 1) as u32) {
        Some(extent)
            if get!(extent.account) == id && get!(extent.file) == file && get!(extent.pages_held) != 0 =>
        {
            u64::from(id)
        }
        _ => 0,
    }
}

/// Opens an account and returns its id, or [`UNATTRIBUTED`] if a table is full. `kind` is [`AccountKey::kind`]. The
/// function is global, so that the verifier follows it once and not at every call.
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
    let now = clock::time();
    // The id is fresh, so no other task knows the account yet.
    account.write(Account {
        key,
        acquired: 0,
        released: 0,
        bytes_held: 0,
        huge_bytes_held: 0,
        calls: 0,
        failed: 0,
        held_since_ns: now,
        opened_ns: now,
        // SAFETY: no arguments.
        cgroup: unsafe { bpf_get_current_cgroup_id() },
        stack,
        last_extent: 0,
        holder_kind: code_kind::pintrace_code_kind(caller),
        not_exclusive: 0,
        comm: bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]),
    });
    if maps::ACCOUNT_IDS.insert(key, id, u64::from(BPF_NOEXIST)).is_err() {
        // The key contains the thread's id, so no other thread can have opened the account: the table is full.
        let _ = maps::FREE_ACCOUNTS.push(id, 0);
        return UNATTRIBUTED;
    }
    // The insertion fails if the process has an entry already. The entry then keeps its count.
    let owner = PinningProcess {
        longterm_pages_held: 0,
        since_ns: now,
        mm: match kernel::current_mm() {
            0 => mm,
            own => own,
        },
    };
    let _ = maps::PROCESSES.insert(key.tgid(), owner, u64::from(BPF_NOEXIST));
    observer::on_account(mm);
    let header = wire::Header {
        kind: wire::kind::ACCOUNT_OPENED,
        id,
        time_ns: now,
    };
    // The account was written above.
    let account = account.copy();
    ring::emit(wire::AccountOpened { header, account });
    id
}

/// Adds a successful pin call with `pages` pins to an account.
#[inline(always)]
pub fn credit(id: u32, pages: u64) {
    let Some(account) = maps::ACCOUNTS.at(id) else {
        return;
    };
    let before = word!(account.acquired).fetch_add(pages);
    word!(account.calls).add(1);
    if before == word!(account.released).load() {
        word!(account.held_since_ns).store(clock::time());
    }
}

#[inline(always)]
fn next_id() -> Option<u32> {
    if let Ok(Some(id)) = maps::FREE_ACCOUNTS.pop() {
        return Some(id);
    }
    let next = maps::NEXT_IDS.at(0)?;
    let lock = locks::lock(LockTarget::Ids)?;
    // Id 0 is reserved for `UNATTRIBUTED`.
    let id = next.word().fetch_add(1) + 1;
    lock.unlock();
    u32::try_from(id).ok()
}
