//! The words that every program looks at first. They are a global variable and not a map: a read of a global is one
//! instruction, a look-up in an array is ten.

use pintrace_common::ledger::HookState;

use crate::atomic::Word;

/// Becomes the map `.bss`, which contains nothing else.
#[unsafe(no_mangle)]
static mut HOOK_STATE: HookState = HookState::ZERO;

macro_rules! state {
    ($field:ident) => {
        // SAFETY: an aligned word of a global, which is only accessed as a whole.
        unsafe { Word::at(&raw mut HOOK_STATE.$field) }
    };
}

/// Returns true if the hooks count. User space opens the gate once all hooks are attached.
#[inline(always)]
pub fn gate_is_open() -> bool {
    state!(gate).load() != 0
}

/// Returns the number of long-term pin calls in flight. At 0 a release makes no look-up.
#[inline(always)]
pub fn longterm_calls() -> Word {
    state!(longterm_calls)
}

/// Returns true if a hook counts the pins that are dropped for a migration.
#[inline(always)]
pub fn counts_migrations() -> bool {
    state!(counts_migrations).load() != 0
}

/// Returns the number of folios with several owners. At 0 a release need not find out what kind of code releases.
#[inline(always)]
pub fn multi_owner_folios() -> Word {
    state!(multi_owner_folios)
}

/// Returns the number of mms with pins. At 0 no hook reads the mm of a vma.
#[inline(always)]
pub fn pinned_mms() -> Word {
    state!(pinned_mms)
}

/// Returns the number of mms and files with extents. At 0 no change of a mapping is looked at.
#[inline(always)]
pub fn range_filters() -> Word {
    state!(range_filters)
}

/// Returns 1 if a chunk of the folio table is in the hash table.
#[inline(always)]
pub fn hashed_chunks() -> Word {
    state!(hashed_chunks)
}

/// Returns the number of long-term pin calls whose entry no hook saw.
#[inline(always)]
pub fn untimed_calls() -> Word {
    state!(untimed_calls)
}

/// Returns the number of open flush windows. At 0 no pin is looked up among them.
#[inline(always)]
pub fn open_windows() -> Word {
    state!(open_windows)
}

/// Returns the timer tick in which [`coarse_ns`] was read, as the kernel's `jiffies_64`.
#[inline(always)]
pub fn coarse_tick() -> Word {
    state!(coarse_tick)
}

/// Returns the time that some program read in [`coarse_tick`] (monotonic ns).
#[inline(always)]
pub fn coarse_ns() -> Word {
    state!(coarse_ns)
}
