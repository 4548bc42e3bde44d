//! Loops where there is no `bpf_loop`, before 5.17. The verifier follows every turn of a loop with a fixed bound,
//! so the walk over pages is three such loops, one inside the other and each in a global function, which it
//! follows once. Global functions take numbers only: the state of the walk waits in a map.

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
    maps,
};

/// Hashes take all their memory at the start: taking it later is unsafe in a kprobe before 6.1, and the kernel
/// warns of it (`check_map_prog_compatibility`, kernel/bpf/verifier.c).
pub const ON_DEMAND: u32 = 0;
/// Attempts at a cell: with its folio locked ([`crate::compat::locks`]) the first succeeds, and making an entry for
/// several owners takes one more.
pub const ATTEMPTS: u32 = 3;
/// Pages of one call that can be walked: 1 GiB.
pub const MOST_PAGES: u64 = (INNER * MIDDLE * OUTER) as u64;

const INNER: u32 = 32;
const MIDDLE: u32 = 64;
const OUTER: u32 = 128;

/// The same number, not known to the verifier: it follows what a loop keeps for each known value apart.
#[inline(always)]
pub fn opaque(number: u64) -> u64 {
    maps::Zeros::find().map_or(0, |zeros| zeros.next() + number)
}

/// Calls `body` with 0, 1, and so on below `TURNS`, until it gives something other than 0.
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

/// Walks under way at one time.
const WALKS: u32 = 4096;

/// A thread and three interrupts on top of it.
const DEPTH: u64 = 4;

/// What walks the pages for a visitor.
pub trait Paged: Sized + 'static {
    /// Walks under way, by CPU and thread, and how deep in interrupts.
    fn under_way() -> &'static HashMap<u64, Walk<Self>>;
    /// Walks `iterations` pages of the walk that waits under `key`.
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
        if V::under_way().insert(key, state, u64::from(BPF_NOEXIST)).is_ok() {
            V::pages(key, iterations as u32);
            if let Some(slot) = V::under_way().at(key) {
                *walk = slot.copy();
            }
            let _ = V::under_way().remove(key);
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
            fn under_way() -> &'static HashMap<u64, Walk<Self>> {
                &$walks
            }

            #[inline(always)]
            fn pages(key: u64, iterations: u32) {
                $outer(key, iterations);
            }
        }

        /// The outer loop.
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

        /// The loop inside it.
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

        /// The innermost, over pages.
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub extern "C" fn $inner(key: u64, first: u32, iterations: u32) -> u32 {
            let Some(walk) = $walks.at(key) else {
                return 0;
            };
            // SAFETY: a live map value, and this program's alone.
            let walk = unsafe { &mut *walk.as_ptr() };
            let mut nth = 0;
            while nth < INNER {
                let index = first + nth;
                if index >= iterations {
                    break;
                }
                walk::step(walk, u64::from(index));
                nth += 1;
            }
            0
        }
    };
}

paged!(Hold<Chunks>, WALKS_HOLDING pintrace_hold_outer pintrace_hold_middle pintrace_hold_inner);
paged!(Take<Chunks>, WALKS_TAKING pintrace_take_outer pintrace_take_middle pintrace_take_inner);
