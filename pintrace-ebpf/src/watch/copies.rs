//! Copies of pinned pages: at the moment at which a copy is committed, was the page pinned, and by whom?

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::map,
    maps::HashMap,
};
use pintrace_common::{
    counters::Loss,
    ledger::{EXTENT_BIT, SHARED_CELLS, SHARED_MARK},
    limits,
    watch::{Copies, CopyKey, copy},
};

use crate::{
    accounts,
    atomic::Word,
    count,
    folios::{CellTable, Chunks},
    holders, kernel,
    loops::ON_DEMAND,
    maps,
    page::Folio,
    shared, stacks,
};

use super::{facts as watch_facts, references, slots::Slot, windows};

/// User space removes those that it has told for good.
#[map]
static COPIES: HashMap<CopyKey, Copies> = HashMap::with_max_entries(limits::COPIES, ON_DEMAND);

/// In `page.mapping`: anonymous memory (`PAGE_MAPPING_ANON`, include/linux/page-flags.h).
const ANONYMOUS: u64 = 1;

/// `page` is being copied for the task of `slot`; if somebody of its process holds it, that counts.
#[inline(always)]
pub fn copied(ctx: *mut c_void, slot: &Slot, page: u64) {
    let folio = Folio::of(page);
    if folio.is_none() {
        return;
    }
    let head = folio.head();
    let mapping = kernel::u64_at(head + watch_facts::page_mapping());
    let huge = slot.kind == super::slots::kind::HUGE;
    // The kernel's own reference for the copy makes no pin.
    if folio.pins() == 0 {
        // Of a file's page the file itself has one.
        let own = mapping & ANONYMOUS != 0 && !huge && slot.unshare == 0;
        if own && references::may_concern() {
            referenced(ctx, slot, folio);
        }
        return;
    }
    let holder = pintrace_holder_in(head, slot.space, slot.address);
    if holder == 0 {
        return;
    }
    // Short-term pins have no address: they may be on another page of a large folio that is copied page by page.
    if (holder - 1) as u32 & EXTENT_BIT == 0 && folio.bytes() > 4096 && !huge {
        return;
    }
    let mut kind = 0;
    if slot.unshare != 0 {
        kind |= copy::UNSHARE;
    }
    if mapping & ANONYMOUS != 0 {
        kind |= copy::ANONYMOUS;
    }
    // A large folio of hugetlb is copied whole, any other by small pages.
    let bytes = if huge { folio.bytes() } else { 1 << 12 };
    let window = u32::from(slot.window != 0);
    pintrace_copied((holder - 1) as u32, kind, slot.address, bytes, window);
    if slot.window != 0 {
        windows::inside(slot.window, windows::Inside::Copy, slot.address);
    }
    stack(ctx, &key((holder - 1) as u32, kind));
}

/// The same of a page that nobody has pinned: somebody may have a reference.
#[inline(always)]
fn referenced(ctx: *mut c_void, slot: &Slot, folio: Folio) {
    let Some(reference) = references::held(folio, slot.space, slot.address) else {
        return;
    };
    let key = CopyKey {
        opened_ns: reference.stack as u64,
        holder: (reference.taken_by >> 32) as u32,
        kind: copy::REFERENCE,
    };
    let fresh = Copies {
        taken_ns: reference.taken_ns,
        taken_by: reference.taken_by,
        taken_stack: reference.stack,
        ..Copies::default()
    };
    add(&key, fresh, slot.address, 4096, 0);
    stack(ctx, &key);
}

/// Who of an address space's process holds a folio, plus one; 0 for nobody. An extent must have the address.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_holder_in(head: u64, space: u64, address: u64) -> u64 {
    let Some(word) = Chunks::find(head) else {
        return 0;
    };
    let now = word.load();
    if now == 0 {
        return 0;
    }
    if now != SHARED_MARK {
        let holder = (now >> 32) as u32;
        return if pintrace_holds_at(holder, space, address) != 0 {
            u64::from(holder) + 1
        } else {
            0
        };
    }
    let mut index = 0;
    while index < SHARED_CELLS as u32 {
        let holder = shared::holder(head, index as usize);
        if let Some(holder) = holder
            && pintrace_holds_at(holder, space, address) != 0
        {
            return u64::from(holder) + 1;
        }
        index += 1;
    }
    0
}

/// Whether a holder is one of this address space and, if it is an extent, has this address.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_holds_at(holder: u32, space: u64, address: u64) -> u32 {
    if holder & EXTENT_BIT != 0 {
        let Some(extent) = maps::EXTENTS.get_ptr(holder & !EXTENT_BIT) else {
            return 0;
        };
        // SAFETY: a live map value; while a call adds to it, the end is behind.
        return unsafe {
            u32::from((*extent).space == space && (*extent).address <= address && address < (*extent).end)
        };
    }
    let Some(account) = maps::ACCOUNTS.get_ptr(holder) else {
        return 0;
    };
    // SAFETY: a live map value.
    let key = unsafe { (*account).key };
    let same = if key.mm != 0 {
        key.mm == space
    } else {
        key.tgid() == (bpf_get_current_pid_tgid() >> 32) as u32 && space == kernel::current_mm()
    };
    u32::from(same)
}

/// When a holder was opened: tells it from others that had its number.
#[inline(always)]
fn opened(holder: u32) -> u64 {
    if holder & EXTENT_BIT != 0 {
        maps::EXTENTS
            .get(holder & !EXTENT_BIT)
            .map_or(0, |extent| extent.opened_ns)
    } else {
        maps::ACCOUNTS.get(holder).map_or(0, |account| account.opened_ns)
    }
}

#[inline(always)]
fn key(holder: u32, kind: u32) -> CopyKey {
    CopyKey {
        opened_ns: opened(holder),
        holder,
        kind,
    }
}

/// Adds a copy of `bytes` at an address to a holder's.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_copied(holder: u32, kind: u32, address: u64, bytes: u64, window: u32) -> u32 {
    let fresh = Copies {
        extent_address: if holder & EXTENT_BIT != 0 {
            maps::EXTENTS
                .get(holder & !EXTENT_BIT)
                .map_or(0, |extent| extent.address)
        } else {
            0
        },
        account: u64::from(holders::account_of(holder)),
        ..Copies::default()
    };
    add(&key(holder, kind), fresh, address, bytes, window);
    0
}

/// Adds a copy to those of its kind; the first is made of `fresh`.
#[inline(always)]
fn add(key: &CopyKey, fresh: Copies, address: u64, bytes: u64, window: u32) {
    let now = accounts::time();
    if COPIES.get_ptr(key).is_none() {
        let fresh = Copies {
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
        let _ = COPIES.insert(key, fresh, u64::from(BPF_NOEXIST));
    }
    let Some(copies) = COPIES.get_ptr_mut(key) else {
        count::loss(Loss::WatchFull, 1);
        return;
    };
    // SAFETY: a live map value; counts are added to atomically, the bounds may be behind by one copy that another
    // thread makes at the same moment.
    unsafe {
        Word::at(&raw mut (*copies).copies).add(1);
        Word::at(&raw mut (*copies).pages).add(bytes >> 12);
        // Of an addition of a known zero the compiler makes another operation, which kernels have since 5.12 only.
        if window != 0 {
            Word::at(&raw mut (*copies).in_window).add(1);
        }
        (*copies).last_ns = now;
        if address < (*copies).address {
            (*copies).address = address;
        }
        if address + bytes > (*copies).end {
            (*copies).end = address + bytes;
        }
    }
}

/// Takes the stack of the first copy.
#[inline(always)]
fn stack(ctx: *mut c_void, key: &CopyKey) {
    if let Some(copies) = COPIES.get_ptr_mut(key) {
        // SAFETY: a live map value; whoever comes later finds a stack there.
        unsafe {
            if (*copies).stack == -1 {
                (*copies).stack = stacks::take(ctx);
            }
        }
    }
}

/// Whether the process of the running task has pinned anything so far.
#[inline(always)]
pub fn may_concern() -> bool {
    // Nobody has an account.
    let none = maps::NEXT_IDS.get(0).copied().unwrap_or(0) == 0;
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    !none && maps::OWNERS.get_ptr(tgid).is_some() || references::may_concern()
}
