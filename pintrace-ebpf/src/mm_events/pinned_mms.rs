//! The mms into which pages were pinned, or in which FOLL_GET references were taken. The hooks on copies look the mm of
//! the vma up here, and not the running process: a process with the same mm (CLONE_VM), a kernel thread
//! (`kthread_use_mm`) and a writer to /proc/PID/mem copy pages of an mm that another process pinned.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    macros::map,
    maps::{Array, HashMap},
};
use pintrace_common::{counters::Loss, limits};

use crate::map_ref::Lookup;
use crate::{compat::loops::HASH_FLAGS, count, facts::MM_EVENT_FACTS, kernel, ledger::state};

/// The mms. An entry is removed with the mm.
#[map]
static PINNED_MMS: HashMap<u64, u32> = HashMap::with_max_entries(limits::PINNED_MMS, HASH_FLAGS);

/// Number of entries of [`PINNED_MMS`] by slot. At 0 a hook makes no look-up: a read of an array costs a tenth of a
/// look-up in a hash table.
#[map]
static PINNED_MM_SLOTS: Array<u64> = Array::with_max_entries(SLOTS, 0);

/// Number of slots; a power of two.
const SLOTS: u32 = 1 << 12;

/// Returns the slot of an mm. The kernel allocates an `mm_struct` at a multiple of 64 bytes.
#[inline(always)]
fn slot(mm: u64) -> u32 {
    (mm >> 6 ^ mm >> 18) as u32 & (SLOTS - 1)
}

/// Returns true if there is an mm.
#[inline(always)]
pub fn any() -> bool {
    state::pinned_mms().load() != 0
}

/// Adds `n`, which may be -1, to the number of mms and to the number in the slot of an mm.
#[inline(always)]
fn count_mm(mm: u64, n: u64) {
    state::pinned_mms().add(n);
    if let Some(mms) = PINNED_MM_SLOTS.at(slot(mm)) {
        mms.word().add(n);
    }
}

/// Returns true if pages of an mm were pinned or referenced.
#[inline(always)]
pub fn holds(mm: u64) -> bool {
    let counted = PINNED_MM_SLOTS
        .at(slot(mm))
        .is_some_and(|mms| mms.word().load() != 0);
    counted && PINNED_MMS.at(&mm).is_some()
}

/// Adds an mm; 0 is the mm of the running task.
#[inline(always)]
pub fn add(mm: u64) {
    if MM_EVENT_FACTS.findings() != 0 {
        pintrace_add_pinned_mm(mm);
    }
}

/// Does the work of [`add`]. The function is global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_add_pinned_mm(mm: u64) -> u32 {
    let mm = if mm == 0 { kernel::current_mm() } else { mm };
    if mm == 0 || holds(mm) {
        return 0;
    }
    if PINNED_MMS.insert(mm, 1, u64::from(BPF_NOEXIST)).is_ok() {
        count_mm(mm, 1);
    } else if PINNED_MMS.at(&mm).is_none() {
        // Another thread may have added the mm first. Otherwise the table is full.
        count::loss(Loss::MmEventTableFull, 1);
    }
    0
}

/// Removes an mm that ends.
#[inline(always)]
pub fn forget(mm: u64) {
    if any() && holds(mm) && PINNED_MMS.remove(mm).is_ok() {
        count_mm(mm, u64::MAX);
    }
}
