//! Folios with several owners.
//!
//! The owners are in blocks ([`crate::ledger::owner_block`]), as many blocks as the folio needs. The `pins` of the first
//! block are the sum over all cells. An acquire adds to the sum before it changes a cell. The release that brings the sum
//! to 0 exchanges the 0 for DEAD. Then `take_step` (folio_table.rs) replaces MULTI_OWNER_MARK in the folio table by 0, and
//! deletes the blocks. So no block is deleted after an acquire has added to the sum. The look-up before that addition is
//! not protected: the map may use the memory for another folio. So the acquire compares the address of the folio after
//! the addition, and takes the pins back if the block belongs to another folio.

use aya_ebpf::bindings::BPF_NOEXIST;
use pintrace_common::{
    counters::Loss,
    ledger::{OWNER_CELLS, OwnerBlock},
};

use crate::{
    atomic::Word,
    compat::loops,
    count,
    ledger::{
        owner_block::{Block, Place, Search, Walk},
        state,
    },
    maps,
    unknown_zero::unknown_zero,
};

/// Returns the pins of all owners of a multi-owner folio; 0 if the folio has no block or is dead.
#[inline(always)]
pub fn pins(head: u64) -> u64 {
    match Block::find(head, 0).map(|block| block.pins().load()) {
        None | Some(OwnerBlock::DEAD) => 0,
        Some(pins) => pins & (OwnerBlock::MAKING - 1),
    }
}

/// Flag of an acquire: the owner had no pins on the folio before.
pub const FIRST: u64 = 1;
/// Flag of an acquire: the pins are added. The flag distinguishes the result for owner number 0 from the result 0.
const HELD: u64 = 2;
// `pintrace_multi_owner_hold` returns owner << 32 | flags, or what `is_dead_folio` recognizes. 0 asks the caller to try
// again.

/// Makes the first block of a folio that has had one owner so far, with the pins of the folio's cell. Returns 0 if the
/// block cannot be made now.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_multi_owner_make(head: u64, cell: u64) -> u32 {
    if !insert(head, 0) {
        return 0;
    }
    let Some(block) = Block::find(head, 0) else {
        return 0;
    };
    // The only other CPU that can use the block took it for the block of the folio that had the memory before.
    block.cell(0).store(cell);
    block.head().store(head);
    let pins = cell & u64::from(u32::MAX);
    block.pins().fetch_add(pins.wrapping_sub(OwnerBlock::MAKING));
    1
}

/// The value of a new block. Its 128 bytes would take a quarter of the stack (`MAX_BPF_STACK`, 512 bytes for a whole call
/// chain).
static EMPTY: OwnerBlock = OwnerBlock {
    pins: OwnerBlock::MAKING,
    head: 0,
    last: 0,
    cells: [0; OWNER_CELLS],
};

/// Inserts an empty block. Returns false if the block exists, or if there is no room.
#[inline(always)]
fn insert(head: u64, n: u32) -> bool {
    let empty: &OwnerBlock = &EMPTY;
    let inserted = maps::MULTI_OWNER_FOLIOS
        .insert(OwnerBlock::key(head, n), empty, u64::from(BPF_NOEXIST))
        .is_ok();
    if inserted && n == 0 {
        state::multi_owner_folios().add(1);
    }
    inserted
}

/// Removes the blocks of a folio, which no CPU uses: the folio is dead, or its cell was not marked.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_multi_owner_remove(head: u64) -> u32 {
    let mut removing = Removing {
        head,
        last: Block::find(head, 0).map_or(0, |block| block.last().load()),
    };
    if removing.last != 0 {
        loops::repeat::<{ loops::OWNER_BLOCKS }, _>(remove_step, &mut removing);
    }
    if maps::MULTI_OWNER_FOLIOS.remove(head).is_ok() {
        state::multi_owner_folios().sub(1);
    }
    0
}

struct Removing {
    head: u64,
    last: u64,
}

/// Removes a block after the first.
extern "C" fn remove_step(index: u32, removing: *mut Removing) -> i64 {
    // SAFETY: the loop passes the state on.
    let removing = unsafe { &mut *removing };
    let n = index + 1;
    if u64::from(n) > removing.last {
        return 1;
    }
    let _ = maps::MULTI_OWNER_FOLIOS.remove(OwnerBlock::key(removing.head, n));
    0
}

/// Result of an addition to the sum of a folio's pins: done.
const IN_SUM: u64 = 1;

/// Adds to the sum of a folio's pins. Returns [`IN_SUM`]; 0 if the folio is dead or keeps changing; or the address of
/// another folio that has lost its last pin ([`take_back`]).
#[inline(always)]
fn add_to_sum(block: Block, head: u64, pins: u32) -> u64 {
    let mut attempt = 0;
    while attempt < 4 {
        let now = block.pins().load();
        if now == OwnerBlock::DEAD || !block.is_of(head) {
            return 0;
        }
        if block.pins().swap(now, now + u64::from(pins)) {
            if block.is_of(head) {
                return IN_SUM;
            }
            return take_back(block, pins);
        }
        attempt += 1;
    }
    0
}

/// Takes pins off the sum of another folio, to which they were added by mistake. If the other folio has lost its last
/// pins meanwhile, its release left the end of the folio to the caller: the function returns the address of its head
/// page, for [`is_dead_folio`].
#[inline(always)]
fn take_back(block: Block, pins: u32) -> u64 {
    let left = block.pins().fetch_sub(u64::from(pins)) - u64::from(pins);
    if left == 0 && block.pins().swap(0, OwnerBlock::DEAD) {
        return block.head().load();
    }
    0
}

/// Returns true if the result of [`pintrace_multi_owner_hold`] is the address of another folio, whose mark the caller has
/// to clear and whose blocks the caller has to remove. No owner has a number with the upper bits of a kernel address.
#[inline(always)]
pub fn is_dead_folio(held: u64) -> bool {
    held >> 48 == 0xffff
}

/// Adds pins to a folio for an owner.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_multi_owner_hold(head: u64, owner: u32, pins: u32) -> u64 {
    let Some(block) = Block::find(head, 0) else {
        return 0;
    };
    let sum = add_to_sum(block, head, pins);
    if sum != IN_SUM {
        return sum;
    }
    let (owner, pins) = (u64::from(owner), u64::from(pins));
    let add = Add {
        owner,
        pins,
        old: owner << 32,
        done: unknown_zero(),
    };
    // One state serves both searches, because the stack of a call chain has 512 bytes.
    let mut walk = Walk::new(block, head, add);
    walk.first_block();
    if walk.search.done == 0 {
        walk.further_blocks(false);
    }
    if walk.search.done != 0 {
        return owner << 32 | HELD;
    }
    walk.search.old = FREE;
    walk.first_block();
    if walk.search.done == 0 {
        walk.further_blocks(true);
    }
    if walk.search.done != 0 {
        return owner << 32 | FIRST | HELD;
    }
    // No block has room: the pins go to the owner of the first cell.
    count::loss(Loss::OwnerCellsFull, pins);
    let other = block.cell(0).fetch_add(pins);
    other >> 32 << 32 | HELD
}

/// Value of [`Add::old`]: a free cell, which has no owner's number.
const FREE: u64 = u64::MAX;

/// Adds pins to the cell that their owner has already; or puts them into a free cell, and makes new blocks.
struct Add {
    owner: u64,
    pins: u64,
    /// Number of the owner << 32, or [`FREE`].
    old: u64,
    done: u64,
}

impl Search for Add {
    #[inline(always)]
    fn cell(&mut self, _head: u64, cell: Word, _place: Place) -> bool {
        let now = cell.load();
        let found = if self.old == FREE {
            now == 0
        } else {
            now != 0 && now >> 32 << 32 == self.old
        };
        let next = if now == 0 { self.owner << 32 } else { now } + self.pins;
        if found && cell.swap(now, next) {
            self.done = 1;
        }
        self.done != 0
    }

    #[inline(always)]
    fn extend(&mut self, head: u64, n: u32) -> bool {
        if self.old != FREE {
            return false;
        }
        // Another CPU may have made the block.
        insert(head, n);
        let (Some(first), Some(block)) = (Block::find(head, 0), Block::find(head, n)) else {
            return false;
        };
        block.head().store(head);
        first.last().swap(u64::from(n) - 1, u64::from(n));
        true
    }
}
