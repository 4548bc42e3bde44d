//! One block of the owners of a multi-owner folio.
//!
//! The functions that search a block are global, so that the verifier follows each once. On 5.10 a global function takes
//! numbers only.

use pintrace_common::ledger::{OWNER_CELLS, OwnerBlock};

use crate::map_ref::{Lookup, MapRef, get, word};
use crate::{
    atomic::Word,
    compat::loops,
    ledger::{owners, releaser::ReleaseCode},
    maps,
};

/// Words of a block before its cells.
const BEFORE: usize = 3;
const _: () = assert!(
    size_of::<OwnerBlock>() == (OWNER_CELLS + BEFORE) * 8 && (OWNER_CELLS + BEFORE).is_power_of_two()
);
/// [`OWNER_CELLS`] in the type of the loop counters.
const CELLS: u32 = OWNER_CELLS as u32;

/// A block.
#[derive(Clone, Copy)]
pub struct Block(MapRef<OwnerBlock>);

impl Block {
    /// Returns block `n` of a folio. The memory may be used for another folio at any time: see [`Self::is_of`].
    #[inline(always)]
    pub fn find(head: u64, n: u32) -> Option<Self> {
        maps::MULTI_OWNER_FOLIOS.at(OwnerBlock::key(head, n)).map(Self)
    }

    /// Returns true if the block belongs to a folio.
    #[inline(always)]
    pub fn is_of(self, head: u64) -> bool {
        let block = self.0;
        get!(block.head) == head
    }

    /// Returns the word with the address of the folio's head page.
    #[inline(always)]
    pub fn head(self) -> Word {
        let block = self.0;
        word!(block.head)
    }

    /// Returns the sum of all pins, in the first block.
    #[inline(always)]
    pub fn pins(self) -> Word {
        let block = self.0;
        word!(block.pins)
    }

    /// Returns the number of the last block, in the first block.
    #[inline(always)]
    pub fn last(self) -> Word {
        let block = self.0;
        word!(block.last)
    }

    /// Returns cell `index`, below [`OWNER_CELLS`]. The mask is for the verifier, because the compiler may hide a
    /// comparison from the verifier. The masked index reaches all words of the block.
    #[inline(always)]
    pub fn cell(self, index: u32) -> Word {
        const WORDS: usize = OWNER_CELLS + BEFORE;
        // SAFETY: the memory of a map value stays mapped for the RCU section of the program, and the masked index is
        // inside the block. The words are accessed atomically only.
        unsafe {
            let words = self.0.as_ptr().cast::<u64>();
            Word::at(words.add((index as usize + BEFORE) & (WORDS - 1)))
        }
    }
}

/// Flag of an acquire: the owner had no pins on the folio before.
pub const FIRST: u64 = 1;
/// Flag of an acquire: the pins are added.
pub const ADDED: u64 = 2;

/// State of adding pins to a block.
struct Adding {
    block: Block,
    owner: u64,
    pins: u64,
    done: u64,
}

/// Adds pins to the cell of their owner. Returns flags; 0 if the owner has no cell in the block.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_block_add(head: u64, n: u32, owner: u32, pins: u32) -> u64 {
    add(head, n, owner, pins, own_step)
}

/// Puts pins of a new owner into a free cell. Returns flags; 0 if the block has no free cell.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_block_put(head: u64, n: u32, owner: u32, pins: u32) -> u64 {
    add(head, n, owner, pins, free_step)
}

#[inline(always)]
fn add(head: u64, n: u32, owner: u32, pins: u32, step: extern "C" fn(u32, *mut Adding) -> i64) -> u64 {
    let (Some(block), Some(zeros)) = (Block::find(head, n), maps::Zeros::find()) else {
        return 0;
    };
    let mut adding = Adding {
        block,
        owner: u64::from(owner),
        pins: u64::from(pins),
        done: zeros.next(),
    };
    loops::repeat::<CELLS, _>(step, &mut adding);
    adding.done
}

extern "C" fn own_step(index: u32, adding: *mut Adding) -> i64 {
    // SAFETY: the loop passes the state on.
    let adding = unsafe { &mut *adding };
    let word = adding.block.cell(index);
    let now = word.load();
    if now != 0 && now >> 32 == adding.owner && word.swap(now, now + adding.pins) {
        adding.done = ADDED;
        return 1;
    }
    0
}

extern "C" fn free_step(index: u32, adding: *mut Adding) -> i64 {
    // SAFETY: the loop passes the state on.
    let adding = unsafe { &mut *adding };
    if adding.block.cell(index).swap(0, adding.owner << 32 | adding.pins) {
        adding.done = ADDED | FIRST;
        return 1;
    }
    0
}

/// The best owner of a block for a release, packed into one number.
#[derive(Clone, Copy)]
pub struct Best(pub u64);

impl Best {
    /// Returns the rank of the best owner.
    #[inline(always)]
    pub fn rank(self) -> u64 {
        self.0 >> 32
    }

    /// Returns the cell of the best owner.
    #[inline(always)]
    pub fn cell(self) -> u64 {
        self.0 >> 16 & 0xff
    }

    /// Returns the number of owners with pins.
    #[inline(always)]
    pub fn holding(self) -> u64 {
        self.0 >> 8 & 0xff
    }

    /// Returns the number of owners to which the release may belong.
    #[inline(always)]
    pub fn candidates(self) -> u64 {
        self.0 & 0xff
    }
}

/// State of the search for the owner of a release.
struct Search {
    block: Block,
    head: u64,
    pid_tgid: u64,
    code: u64,
    best: u64,
    best_rank: u64,
    holding: u64,
    candidates: u64,
}

/// Searches a block for the owner of a release. Returns a [`Best`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_block_search(head: u64, n: u32, pid_tgid: u64, code: u64) -> u64 {
    let (Some(block), Some(zeros)) = (Block::find(head, n), maps::Zeros::find()) else {
        return 0;
    };
    let mut search = Search {
        block,
        head,
        pid_tgid,
        code,
        best: zeros.next(),
        best_rank: zeros.next(),
        holding: zeros.next(),
        candidates: zeros.next(),
    };
    loops::repeat::<CELLS, _>(search_step, &mut search);
    search.best_rank << 32
        | (search.best & 0xff) << 16
        | (search.holding & 0xff) << 8
        | search.candidates & 0xff
}

extern "C" fn search_step(index: u32, search: *mut Search) -> i64 {
    // SAFETY: the loop passes the state on.
    let search = unsafe { &mut *search };
    let now = search.block.cell(index).load();
    if now != 0 {
        search.holding = loops::opaque(search.holding + 1);
        let code = ReleaseCode(search.code);
        let rank = u64::from(owners::rank(
            (now >> 32) as u32,
            search.pid_tgid,
            code.kind(),
            code.page(search.head),
        ));
        if rank & u64::from(owners::CANDIDATE) != 0 {
            search.candidates = loops::opaque(search.candidates + 1);
        }
        if rank >= search.best_rank {
            search.best_rank = loops::opaque(rank);
            search.best = loops::opaque(u64::from(index));
        }
    }
    0
}
