//! Loops for kernels before 5.17, which have no `bpf_loop`. The verifier follows every iteration of a loop with a fixed
//! bound. So the walk over pages is three nested loops, each in a global function, which the verifier follows once.
//! On 5.10 a global function takes numbers and the context only, so a map holds the state of the walk.

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{bpf_get_current_pid_tgid, bpf_get_smp_processor_id},
    macros::map,
    maps::HashMap,
};
use pintrace_common::counters::Loss;

use crate::map_ref::Lookup;
use crate::{
    count,
    ledger::{
        acquire::Hold,
        folio_table::Chunks,
        release::Take,
        walk::{self, Visitor, Walk},
    },
    unknown_zero::unknown_zero,
};

/// Hash maps allocate all memory at the start. Allocation on demand is unsafe in a kprobe before 6.1, and the kernel
/// warns of it (`check_map_prog_compatibility`, kernel/bpf/verifier.c).
pub const HASH_FLAGS: u32 = 0;
/// Attempts at a cell, with the folio locked ([`crate::compat::locks`]). An acquire needs one attempt to make the
/// multi-owner entry and one to add. Each attempt of a release takes the pins of one owner. So a release that concerns four
/// owners leaves the pins of the fourth in the table, and counts them as [`Loss::CellContended`].
pub const ATTEMPTS: u32 = 3;
/// Maximum number of blocks of owners of one folio, each of 13 owners. The verifier follows each cell, and the stack has
/// no room for a second loop.
pub const OWNER_BLOCKS: u32 = 1;
/// Maximum number of areas of one call that get an extent each. The walk over pages is so many calls deep that no room is
/// left to open another extent (`MAX_CALL_FRAMES`, 8).
pub const AREAS: u64 = 1;
/// Maximum number of pages of one call that can be walked: 1 GiB.
pub const MOST_PAGES: u64 = (INNER * MIDDLE * OUTER) as u64;

const INNER: u32 = 32;
const MIDDLE: u32 = 64;
const OUTER: u32 = 128;

/// Returns the number with a value unknown to the verifier, which follows a loop anew for each known value of the
/// loop's state.
#[inline(always)]
pub fn opaque(number: u64) -> u64 {
    unknown_zero() + number
}

/// Calls `body` with 0, 1, and so on below `ITERATIONS`, until the result is not 0.
#[inline(always)]
pub fn repeat<const ITERATIONS: u32, S>(body: extern "C" fn(u32, *mut S) -> i64, state: &mut S) {
    let mut index = 0;
    while index < ITERATIONS {
        if body(opaque(u64::from(index)) as u32, &raw mut *state) != 0 {
            return;
        }
        index += 1;
    }
}

/// Maximum number of walks in flight.
const WALKS: u32 = 4096;

/// Maximum number of nested walks on a CPU: task, softirq, hardirq and NMI.
const DEPTH: u64 = 4;

/// The functions and the map that walk the pages for a visitor.
pub trait Paged: Sized + 'static {
    /// Returns the walks in flight, by CPU, thread and nesting of interrupts.
    fn walks_in_flight() -> &'static HashMap<u64, Walk<Self>>;
    /// Walks `iterations` pages of the walk under `key`.
    fn pages(key: u64, iterations: u32);
}

/// Walks `iterations` pages.
#[inline(always)]
pub fn over_pages<V: Visitor>(walk: &mut Walk<V>, iterations: u64) {
    // SAFETY: no arguments. A program stays on its CPU, and may be interrupted there.
    let cpu = u64::from(unsafe { bpf_get_smp_processor_id() });
    let base = cpu << 34 | (bpf_get_current_pid_tgid() & 0xffff_ffff) << 2;
    let mut depth = 0;
    while depth < DEPTH {
        let key = base | depth;
        let state: &Walk<V> = walk;
        if V::walks_in_flight()
            .insert(key, state, u64::from(BPF_NOEXIST))
            .is_ok()
        {
            V::pages(key, iterations as u32);
            if let Some(slot) = V::walks_in_flight().at(key) {
                *walk = slot.copy();
            }
            let _ = V::walks_in_flight().remove(key);
            return;
        }
        depth += 1;
    }
    count::loss(Loss::WalkTableFull, iterations);
}

macro_rules! paged {
    ($visitor:ty, $walks:ident $outer:ident $middle:ident $inner:ident) => {
        #[map]
        static $walks: HashMap<u64, Walk<$visitor>> = HashMap::with_max_entries(WALKS, 0);

        impl Paged for $visitor {
            #[inline(always)]
            fn walks_in_flight() -> &'static HashMap<u64, Walk<Self>> {
                &$walks
            }

            #[inline(always)]
            fn pages(key: u64, iterations: u32) {
                $outer(key, iterations);
            }
        }

        /// Is the outer loop.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub extern "C" fn $outer(key: u64, iterations: u32) -> u32 {
            let mut index = 0;
            while index < OUTER {
                let first = index * (MIDDLE * INNER);
                if first >= iterations {
                    break;
                }
                $middle(key, first, iterations);
                index += 1;
            }
            0
        }

        /// Is the middle loop.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub extern "C" fn $middle(key: u64, first: u32, iterations: u32) -> u32 {
            let mut index = 0;
            while index < MIDDLE {
                let first = first + index * INNER;
                if first >= iterations {
                    break;
                }
                $inner(key, first, iterations);
                index += 1;
            }
            0
        }

        /// Is the inner loop, over pages.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub extern "C" fn $inner(key: u64, first: u32, iterations: u32) -> u32 {
            let Some(walk) = $walks.at(key) else {
                return 0;
            };
            // SAFETY: a live map value that only this invocation uses: the key contains CPU, thread and depth.
            let walk = unsafe { &mut *walk.as_ptr() };
            let mut nth = 0;
            while nth < INNER {
                let index = first + nth;
                if index >= iterations {
                    break;
                }
                walk::step::<_, false>(walk, u64::from(index));
                nth += 1;
            }
            0
        }
    };
}

paged!(Hold<Chunks>, WALKS_HOLDING pintrace_hold_outer pintrace_hold_middle pintrace_hold_inner);
paged!(Take<Chunks>, WALKS_TAKING pintrace_take_outer pintrace_take_middle pintrace_take_inner);
