//! Copies of pinned pages. When the kernel commits a copy, the hooks look up the pins of the old page and their owner.

use core::ffi::c_void;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid},
    macros::map,
    maps::HashMap,
};
use pintrace_common::{
    counters::Loss,
    ledger::{EXTENT_BIT, MULTI_OWNER_MARK},
    limits,
    mm_events::{CowKey, CowStats, cow_kind},
};

use crate::map_ref::{Lookup, get, set, word};
use crate::{
    atomic::Word,
    clock,
    compat::loops::HASH_FLAGS,
    count,
    facts::MM_EVENT_FACTS,
    folio::Folio,
    kernel,
    ledger::{
        folio_table::{CellTable, Chunks},
        owner_block::{Block, Place, Search, Walk},
        owners,
    },
    maps,
    mm_events::{flush_window::stats, foll_get, task_context::TaskContext},
    stacks,
    unknown_zero::unknown_zero,
};

/// Copies by owner and kind. User space removes an entry after the entry's final report.
#[map]
static COWS: HashMap<CowKey, CowStats> = HashMap::with_max_entries(limits::COWS, HASH_FLAGS);

/// In `page.mapping`: anonymous memory (`PAGE_MAPPING_ANON`, include/linux/page-flags.h).
const ANONYMOUS: u64 = 1;

/// Records a copy of `page` in the task's `context`, if an owner of the same mm has pinned or referenced the page.
#[inline(always)]
pub fn copy_committed(ctx: *mut c_void, context: &TaskContext, page: u64) {
    let folio = Folio::of(page);
    if folio.is_none() {
        return;
    }
    let head = folio.head();
    let mapping = kernel::u64_at(head + MM_EVENT_FACTS.page_mapping());
    let huge = context.kind == super::task_context::kind::HUGE;
    // The kernel's own reference for the copy does not count as a pin.
    if folio.pins() == 0 {
        // The page cache has a reference to a file's page, so only anonymous pages are examined.
        let own = mapping & ANONYMOUS != 0 && !huge && context.unshare == 0;
        if own && MM_EVENT_FACTS.foll_get() != 0 {
            referenced(ctx, context, folio);
        }
        return;
    }
    let owner = pintrace_owner_in(head, context.mm, context.address);
    if owner == 0 {
        return;
    }
    // A short-term pin has no address, so the pin may be on another page of a large folio that is copied page by page.
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
    // hugetlb copies a large folio whole. Any other large folio is copied by small pages.
    let bytes = if huge { folio.bytes() } else { 1 << 12 };
    let window = u32::from(context.window != 0);
    pintrace_cow((owner - 1) as u32, kind, context.address, bytes, window);
    if context.window != 0 {
        stats::add_event(context.window, stats::WindowEvent::Cow, context.address);
    }
    stack(ctx, &key((owner - 1) as u32, kind));
}

/// Records a copy of an unpinned page to which a FOLL_GET reference is left.
#[inline(always)]
fn referenced(ctx: *mut c_void, context: &TaskContext, folio: Folio) {
    let Some(reference) = foll_get::held(folio, context.mm, context.address) else {
        return;
    };
    let key = CowKey {
        opened_ns: reference.stack as u64,
        owner: (reference.taken_by >> 32) as u32,
        kind: if reference.for_writing != 0 && reference.in_bio != 0 {
            cow_kind::FOLL_GET | cow_kind::READ_UNDER_WAY
        } else {
            cow_kind::FOLL_GET
        },
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

/// Returns the owner of pins on a folio in an mm, plus one; 0 if there is none. An extent must contain the address.
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
    let Some(first) = Block::find(head, 0) else {
        return 0;
    };
    let holding = Holding {
        mm,
        address,
        found: unknown_zero(),
    };
    let mut walk = Walk::new(first, head, holding);
    walk.first_block();
    if walk.search.found == 0 {
        walk.further_blocks(false);
    }
    walk.search.found
}

/// The search for an owner of pins on a multi-owner folio in an mm.
struct Holding {
    mm: u64,
    address: u64,
    /// The owner plus one; 0 if none is found.
    found: u64,
}

impl Search for Holding {
    #[inline(always)]
    fn cell(&mut self, _head: u64, cell: Word, _place: Place) -> bool {
        let now = cell.load();
        let owner = (now >> 32) as u32;
        if now as u32 == 0 || pintrace_holds_at(owner, self.mm, self.address) == 0 {
            return false;
        }
        self.found = u64::from(owner) + 1;
        true
    }
}

/// Returns 1 if an owner belongs to the mm and, if the owner is an extent, contains the address.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_holds_at(owner: u32, mm: u64, address: u64) -> u32 {
    if owner & EXTENT_BIT != 0 {
        let Some(extent) = maps::EXTENTS.at(owner & !EXTENT_BIT) else {
            return 0;
        };
        // While a call adds to the extent, `end` is too low.
        return {
            u32::from(get!(extent.mm) == mm && get!(extent.address) <= address && address < get!(extent.end))
        };
    }
    let Some(account) = maps::ACCOUNTS.at(owner) else {
        return 0;
    };
    let key = get!(account.key);
    // The running task may belong to another process: the writer need not be the process that pinned.
    let pinned = if key.mm != 0 {
        key.mm
    } else {
        maps::PROCESSES
            .at(key.tgid())
            .map_or(0, |process| get!(process.mm))
    };
    u32::from(pinned == mm)
}

/// Returns the time when an owner was opened, which distinguishes owners that had the same number.
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

/// Adds a copy of `bytes` at an address to the copies of an owner.
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

/// Adds a copy to the entry of a key. The first copy makes the entry from `fresh`.
#[inline(always)]
fn add(key: &CowKey, fresh: CowStats, address: u64, bytes: u64, window: u32) {
    let now = clock::time();
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
        // Another thread may make the entry first.
        let _ = COWS.insert(key, fresh, u64::from(BPF_NOEXIST));
    }
    let Some(copies) = COWS.at(key) else {
        count::loss(Loss::MmEventTableFull, 1);
        return;
    };
    // The counts change atomically. The bounds may miss a copy that another thread makes at the same moment.
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

/// Stores the kernel stack of the first copy.
#[inline(always)]
fn stack(ctx: *mut c_void, key: &CowKey) {
    if let Some(copies) = COWS.at(key) {
        // A later copy finds a stack in the entry.
        if get!(copies.stack) == -1 {
            set!(copies.stack = stacks::take(ctx));
        }
    }
}
