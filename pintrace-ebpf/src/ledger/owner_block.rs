//! The blocks of the owners of a multi-owner folio, and loops over their cells.
//!
//! A loop keeps the first block, which most folios have alone, and looks up each cell of a further block: the call stack
//! of a program has room for one more loop and not for two (`MAX_CALL_FRAMES`, 8).

use core::arch::asm;

use pintrace_common::ledger::{OWNER_CELLS, OwnerBlock};

use crate::map_ref::{Lookup, MapRef, get, word};
use crate::{atomic::Word, compat::loops, maps};

/// Words of a block before its cells.
const BEFORE: usize = 3;
const _: () = assert!(size_of::<OwnerBlock>() == (OWNER_CELLS + BEFORE) * 8 && OWNER_CELLS + BEFORE == 16);
/// [`OWNER_CELLS`] in the type of the loop counters.
const CELLS: u32 = OWNER_CELLS as u32;
/// Number of cells of all blocks after the first.
const FURTHER_CELLS: u32 = (loops::OWNER_BLOCKS - 1) * CELLS;

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

    /// Returns cell `index`, below [`OWNER_CELLS`].
    #[inline(always)]
    pub fn cell(self, index: u32) -> Word {
        let word = masked(u64::from(index) + BEFORE as u64);
        // SAFETY: the memory of a map value stays mapped for the RCU section of the program, and the masked index is
        // inside the block. The words are accessed atomically only.
        unsafe { Word::at(self.0.as_ptr().cast::<u64>().add(word as usize)) }
    }
}

/// Masks the index of a word in a block, by an instruction that the compiler cannot leave out. The compiler knows the
/// bounds of a remainder, and the verifier does not.
#[inline(always)]
fn masked(word: u64) -> u64 {
    let mut masked = word;
    // SAFETY: one instruction on one register. The mask is the number of words of a block less 1.
    unsafe { asm!("{0} &= 15", inlateout(reg) masked, options(pure, nomem, nostack)) };
    masked
}

/// The place of a cell: block number << 8 | index.
#[derive(Clone, Copy)]
pub struct Place(pub u64);

impl Place {
    /// Returns the block of a folio that contains the cell.
    #[inline(always)]
    pub fn block(self) -> u32 {
        (self.0 >> 8) as u32
    }

    /// Returns the index of the cell in the block.
    #[inline(always)]
    pub fn index(self) -> u32 {
        (self.0 & 0xff) as u32
    }
}

/// A search over the cells of a folio.
pub trait Search {
    /// Handles one cell of the folio with a head page. Returns true to end the search.
    fn cell(&mut self, head: u64, cell: Word, place: Place) -> bool;
    /// Prepares block `n`, the block behind the last. Returns false if the search ends at the last block.
    fn extend(&mut self, _head: u64, _n: u32) -> bool {
        false
    }
}

/// State of a loop over cells.
pub struct Walk<S> {
    first: Block,
    head: u64,
    last: u64,
    /// The search.
    pub search: S,
}

impl<S: Search> Walk<S> {
    /// Begins at the first block of a folio.
    #[inline(always)]
    pub fn new(first: Block, head: u64, search: S) -> Self {
        Self {
            first,
            head,
            last: first.last().load(),
            search,
        }
    }

    /// Searches the first block.
    #[inline(always)]
    pub fn first_block(&mut self) {
        loops::repeat::<CELLS, _>(first_step::<S>, self);
    }

    /// Searches the further blocks. `extends` is true if the search may make new blocks.
    #[inline(always)]
    pub fn further_blocks(&mut self, extends: bool) {
        if loops::OWNER_BLOCKS > 1 && (self.last != 0 || extends) {
            loops::repeat::<FURTHER_CELLS, _>(further_step::<S>, self);
        }
    }
}

extern "C" fn first_step<S: Search>(index: u32, walk: *mut Walk<S>) -> i64 {
    // SAFETY: the loop passes the state on.
    let walk = unsafe { &mut *walk };
    let cell = walk.first.cell(index);
    i64::from(walk.search.cell(walk.head, cell, Place(u64::from(index))))
}

extern "C" fn further_step<S: Search>(place: u32, walk: *mut Walk<S>) -> i64 {
    // SAFETY: the loop passes the state on.
    let walk = unsafe { &mut *walk };
    let (n, index) = (place / CELLS + 1, place % CELLS);
    if u64::from(n) > walk.last {
        if !walk.search.extend(walk.head, n) {
            return 1;
        }
        walk.last = loops::opaque(u64::from(n));
    }
    let Some(block) = Block::find(walk.head, n) else {
        return 1;
    };
    let place = Place(u64::from(n) << 8 | u64::from(index));
    i64::from(walk.search.cell(walk.head, block.cell(index), place))
}
