//! Copies of pinned pages: when a copy is committed, was the page pinned, and who owns the pin?

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::map,
    maps::HashMap,
};
use pintrace_common::{
    counters::Loss,
    ledger::{EXTENT_BIT, MULTI_OWNER_MARK, OWNER_CELLS},
    limits,
    mm_events::{CowKey, CowStats, cow_kind},
};

use crate::map_ref::{Lookup, get, set, word};
use crate::{
    compat::loops::ON_DEMAND,
    count,
    facts::MM_EVENT_FACTS,
    folio::Folio,
    kernel,
    ledger::{
        accounts,
        folio_table::{CellTable, Chunks},
        multi_owner, owners,
    },
    maps,
    mm_events::{flush_window::stats, foll_get, task_context::TaskContext},
    stacks,
};

/// User space removes those that it has told for good.
#[map]
static COWS: HashMap<CowKey, CowStats> = HashMap::with_max_entries(limits::COWS, ON_DEMAND);

/// In `page.mapping`: anonymous memory (`PAGE_MAPPING_ANON`, include/linux/page-flags.h).
const ANONYMOUS: u64 = 1;

/// `page` is being copied for the task of `slot`; if somebody of its process holds it, that counts.
#[inline(always)]
pub fn copy_committed(ctx: *mut c_void, context: &TaskContext, page: u64) {
    let folio = Folio::of(page);
    if folio.is_none() {
        return;
    }
    let head = folio.head();
    let mapping = kernel::u64_at(head + MM_EVENT_FACTS.page_mapping());
    let huge = context.kind == super::task_context::kind::HUGE;
    // The kernel's own reference for the copy makes no pin.
    if folio.pins() == 0 {
        // Of a file's page the file itself has one.
        let own = mapping & ANONYMOUS != 0 && !huge && context.unshare == 0;
        if own && foll_get::may_concern() {
            referenced(ctx, context, folio);
        }
        return;
    }
    let owner = pintrace_owner_in(head, context.mm, context.address);
    if owner == 0 {
        return;
    }
    // Short-term pins have no address: they may be on another page of a large folio that is copied page by page.
    if (owner - 1) as u32 & EXTENT_BIT == 0 && folio.bytes() > 4096 && !huge {
        return;
    }
    let mut kind = 0;
    if context.unshare != 0 {
        kind |= cow_kind::UNSHARE;
    }
    if mapping & ANONYMOUS != 0 {
        kind |= cow_kind::ANONYMOUS;
    }
    // A large folio of hugetlb is copied whole, any other by small pages.
    let bytes = if huge { folio.bytes() } else { 1 << 12 };
    let window = u32::from(context.window != 0);
    pintrace_cow((owner - 1) as u32, kind, context.address, bytes, window);
    if context.window != 0 {
        stats::add_event(context.window, stats::WindowEvent::Cow, context.address);
    }
    stack(ctx, &key((owner - 1) as u32, kind));
}

/// The same of a page that nobody has pinned: somebody may have a reference.
#[inline(always)]
fn referenced(ctx: *mut c_void, context: &TaskContext, folio: Folio) {
    let Some(reference) = foll_get::held(folio, context.mm, context.address) else {
        return;
    };
    let key = CowKey {
        opened_ns: reference.stack as u64,
        owner: (reference.taken_by >> 32) as u32,
        kind: cow_kind::FOLL_GET,
    };
    let fresh = CowStats {
        taken_ns: reference.taken_ns,
        taken_by: reference.taken_by,
        taken_stack: reference.stack,
        ..CowStats::default()
    };
    add(&key, fresh, context.address, 4096, 0);
    stack(ctx, &key);
}

/// Who of an address space's process holds a folio, plus one; 0 for nobody. An extent must have the address.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_owner_in(head: u64, mm: u64, address: u64) -> u64 {
    let Some(word) = Chunks::find(head) else {
        return 0;
    };
    let now = word.load();
    if now == 0 {
        return 0;
    }
    if now != MULTI_OWNER_MARK {
        let owner = (now >> 32) as u32;
        return if pintrace_holds_at(owner, mm, address) != 0 {
            u64::from(owner) + 1
        } else {
            0
        };
    }
    let mut index = 0;
    while index < OWNER_CELLS as u32 {
        let owner = multi_owner::owner(head, index as usize);
        if let Some(owner) = owner
            && pintrace_holds_at(owner, mm, address) != 0
        {
            return u64::from(owner) + 1;
        }
        index += 1;
    }
    0
}

/// Whether a owner is one of this address space and, if it is an extent, has this address.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_holds_at(owner: u32, mm: u64, address: u64) -> u32 {
    if owner & EXTENT_BIT != 0 {
        let Some(extent) = maps::EXTENTS.at(owner & !EXTENT_BIT) else {
            return 0;
        };
        // While a call adds to it, the end is behind.
        return {
            u32::from(get!(extent.mm) == mm && get!(extent.address) <= address && address < get!(extent.end))
        };
    }
    let Some(account) = maps::ACCOUNTS.at(owner) else {
        return 0;
    };
    let key = get!(account.key);
    let same = if key.mm != 0 {
        key.mm == mm
    } else {
        key.tgid() == (bpf_get_current_pid_tgid() >> 32) as u32 && mm == kernel::current_mm()
    };
    u32::from(same)
}

/// When a owner was opened: tells it from others that had its number.
#[inline(always)]
fn opened(owner: u32) -> u64 {
    if owner & EXTENT_BIT != 0 {
        maps::EXTENTS
            .get(owner & !EXTENT_BIT)
            .map_or(0, |extent| extent.opened_ns)
    } else {
        maps::ACCOUNTS.get(owner).map_or(0, |account| account.opened_ns)
    }
}

#[inline(always)]
fn key(owner: u32, kind: u32) -> CowKey {
    CowKey {
        opened_ns: opened(owner),
        owner,
        kind,
    }
}

/// Adds a copy of `bytes` at an address to a owner's.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_cow(owner: u32, kind: u32, address: u64, bytes: u64, window: u32) -> u32 {
    let fresh = CowStats {
        extent_address: if owner & EXTENT_BIT != 0 {
            maps::EXTENTS
                .get(owner & !EXTENT_BIT)
                .map_or(0, |extent| extent.address)
        } else {
            0
        },
        account: u64::from(owners::account_of(owner)),
        ..CowStats::default()
    };
    add(&key(owner, kind), fresh, address, bytes, window);
    0
}

/// Adds a copy to those of its kind; the first is made of `fresh`.
#[inline(always)]
fn add(key: &CowKey, fresh: CowStats, address: u64, bytes: u64, window: u32) {
    let now = accounts::time();
    if COWS.at(key).is_none() {
        let fresh = CowStats {
            address,
            end: address + bytes,
            first_ns: now,
            last_ns: now,
            pid_tgid: bpf_get_current_pid_tgid(),
            stack: -1,
            comm: bpf_get_current_comm().unwrap_or([0; limits::COMM_BYTES]),
            ..fresh
        };
        // Another thread may be first.
        let _ = COWS.insert(key, fresh, u64::from(BPF_NOEXIST));
    }
    let Some(copies) = COWS.at(key) else {
        count::loss(Loss::MmEventTableFull, 1);
        return;
    };
    // Counts are added to atomically, the bounds may be behind by one copy that another thread makes at the
    // same moment.
    word!(copies.copies).add(1);
    word!(copies.pages).add(bytes >> 12);
    // The compiler turns an addition of a known zero into another operation, which only kernels since 5.12 have.
    if window != 0 {
        word!(copies.in_window).add(1);
    }
    set!(copies.last_ns = now);
    if address < get!(copies.address) {
        set!(copies.address = address);
    }
    if address + bytes > get!(copies.end) {
        set!(copies.end = address + bytes);
    }
}

/// Takes the stack of the first copy.
#[inline(always)]
fn stack(ctx: *mut c_void, key: &CowKey) {
    if let Some(copies) = COWS.at(key) {
        // Whoever comes later finds a stack there.
        if get!(copies.stack) == -1 {
            set!(copies.stack = stacks::take(ctx));
        }
    }
}

/// Whether the process of the running task has pinned anything so far.
#[inline(always)]
pub fn may_concern() -> bool {
    // Nobody has an account.
    let none = maps::NEXT_IDS.get(0).copied().unwrap_or(0) == 0;
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    !none && maps::PROCESSES.at(tgid).is_some() || foll_get::may_concern()
}
