//! Benchmarks of the functions that the hooks call: BPF_PROG_TEST_RUN runs the functions over synthetic struct pages.
//! Only `cargo xtask bench core` builds this module, because its tables are large.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    bindings::BPF_F_NO_PREALLOC,
    helpers::generated::bpf_loop,
    macros::{map, raw_tracepoint},
    maps::{Array, HashMap},
    programs::RawTracePointContext,
};

mod tables;

use pintrace_common::counters::Loss;

use crate::{
    bench::tables::{BENCH_ORIGIN, ByFolio, ByFrame},
    count,
    facts::FACTS,
    kernel,
    ledger::{
        acquire,
        folio_table::{CellTable, Chunks},
        longterm_scope,
        pin_call::PinCall,
        release,
        releaser::ReleaseCode,
        small_folio,
        walk::Pages,
    },
    rdonly_cast::Words,
    stacks::When,
};

/// Number of synthetic struct pages: 1 GiB worth, and 64 more so that a chunk may straddle the end.
const PAGES: u32 = (1 << 18) + 64;

/// One map value, because struct pages are aligned to their size and map values only to 8 bytes.
#[map]
static BENCH_PAGES: Array<[u64; WORDS]> = Array::with_max_entries(1, 0);

/// Number of u64 words of a struct page, and of all struct pages with one to spare for the alignment.
const PAGE_WORDS: usize = 8;
const WORDS: usize = (PAGES as usize + 1) * PAGE_WORDS;

/// The pages[] of the synthetic pin calls.
#[map]
static BENCH_POINTERS: Array<u64> = Array::with_max_entries(PAGES, 0);

/// Number of iterations of the last run.
#[map]
static BENCH_ITERATIONS: Array<u64> = Array::with_max_entries(1, 0);

#[map]
static BENCH_HASH: HashMap<u64, u64> = HashMap::with_max_entries(1 << 16, BPF_F_NO_PREALLOC);

/// Arguments of a run, from the context of the test run: number of iterations, number of pages, `gup_flags`, and number
/// of pages of a folio.
#[derive(Clone, Copy)]
struct Run {
    iterations: u64,
    pages: u64,
    flags: u64,
    folio_pages: u64,
    ctx: *mut c_void,
}

impl Run {
    #[inline(always)]
    fn from(ctx: &RawTracePointContext) -> Self {
        Self {
            iterations: ctx.arg(0),
            pages: ctx.arg(1),
            flags: ctx.arg(2),
            folio_pages: ctx.arg(3),
            ctx: ctx.as_ptr(),
        }
    }

    #[inline(always)]
    fn each(&mut self, body: extern "C" fn(u32, *mut Self) -> i64) -> i32 {
        // SAFETY: the callback takes the state that is passed here, and the state outlives the call.
        let made = unsafe {
            bpf_loop(
                self.iterations as u32,
                body as *mut c_void,
                (&raw mut *self).cast(),
                0,
            )
        };
        // The kernel ignores the return value of a raw tracepoint, so a map returns the number.
        if let Some(iterations) = BENCH_ITERATIONS.get_ptr_mut(0) {
            // SAFETY: a live map value; benches run one at a time.
            unsafe { *iterations = made as u64 };
        }
        0
    }
}

macro_rules! bench {
    ($($(#[$doc:meta])* $name:ident = $body:expr;)+) => {
        $(
            $(#[$doc])*
            #[raw_tracepoint]
            pub fn $name(ctx: RawTracePointContext) -> i32 {
                Run::from(&ctx).each($body)
            }
        )+
    };
}

bench! {
    /// Makes `iterations` struct pages, in folios of `folio_pages`.
    bench_setup = setup;
    /// Measures the loop alone.
    bench_empty = empty;
    /// Measures one hash update, look-up and delete.
    bench_hash = hash;
    /// Measures a pin call and its release, in the shipped folio table.
    bench_chunks = pin_unpin_as_hooks;
    /// Measures the same calls in a hash keyed by folio.
    bench_by_folio = pin_unpin::<ByFolio>;
    /// Measures the same calls in an array indexed by page frame number.
    bench_by_frame = pin_unpin::<ByFrame>;
    /// Gives the first folio `iterations` owners, each with one pin.
    bench_add_owners = add_owner;
    /// Releases the pins of these owners.
    bench_remove_owners = remove_owner;
}

extern "C" fn empty(_index: u32, _run: *mut Run) -> i64 {
    0
}

extern "C" fn hash(index: u32, _run: *mut Run) -> i64 {
    let key = u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let _ = BENCH_HASH.insert(key, key, 0);
    if BENCH_HASH.get_ptr(key).is_some() {
        let _ = BENCH_HASH.remove(key);
    }
    0
}

/// Owner numbers from which on no account is in use: a bench has few accounts.
const FIRST_OWNER: u32 = 1000;

extern "C" fn add_owner(index: u32, _run: *mut Run) -> i64 {
    if let Some(page) = first_page() {
        Chunks::hold(page, FIRST_OWNER + index, 1);
    }
    0
}

extern "C" fn remove_owner(_index: u32, _run: *mut Run) -> i64 {
    if let Some(page) = first_page() {
        Chunks::take(page, 1, ReleaseCode::UNKNOWN, 4096);
    }
    0
}

/// Returns the address of the first synthetic struct page.
#[inline(always)]
fn first_page() -> Option<u64> {
    let first = BENCH_POINTERS.get_ptr(0)? as u64;
    kernel::read_u64(first)
}

extern "C" fn setup(index: u32, run: *mut Run) -> i64 {
    // SAFETY: bpf_loop passes the state on.
    let folio_pages = unsafe { (*run).folio_pages } as u32;
    let within = if folio_pages == 0 { 0 } else { index % folio_pages };
    let (Some(memory), Some(pointer), Some(origin)) = (
        BENCH_PAGES.get_ptr_mut(0),
        BENCH_POINTERS.get_ptr_mut(index),
        BENCH_ORIGIN.get_ptr_mut(0),
    ) else {
        return 1;
    };
    let slot = memory as u64;
    // The helper copies the number, so that the verifier forgets that the number is a pointer.
    let Some(base) = kernel::read_u64(&raw const slot as u64) else {
        return 1;
    };
    let skew = (base.wrapping_neg() & 63) as usize / 8;
    let word = skew + index as usize * PAGE_WORDS;
    if word > WORDS - PAGE_WORDS {
        return 1;
    }
    let address = base + word as u64 * 8;
    let size = 1u64 << (FACTS.page_struct_shift() & 31);
    let large = folio_pages > 1;
    // SAFETY: a live map value. The check above keeps the page's words inside the value.
    unsafe {
        let page = memory.cast::<u64>().add(word);
        let head_flag = if large && within == 0 {
            1u64 << (FACTS.pg_head() & 63)
        } else {
            0
        };
        *page = head_flag;
        *page.add(1) = if within == 0 {
            0
        } else {
            address - u64::from(within) * size + 1
        };
        // `_mapcount` is 0, and `_refcount` that of a page pinned twice.
        *page.add(6) = 2048 << 32;
        if large && within == 1 {
            // The number of pages is in the second struct page of a folio, which is the present one.
            let offset = FACTS.folio_nr_pages().wrapping_sub(64) as usize & 0x3c;
            *page.cast::<u8>().add(offset).cast::<u32>() = folio_pages;
        }
        *pointer = address;
        if index == 0 {
            *origin = address;
        }
    }
    0
}

extern "C" fn pin_unpin<T: CellTable>(_index: u32, run: *mut Run) -> i64 {
    // SAFETY: bpf_loop passes the state on.
    pin_and_unpin::<T>(unsafe { *run })
}

/// Handles a call as the hooks do, with the short way for one page.
extern "C" fn pin_unpin_as_hooks(_index: u32, run: *mut Run) -> i64 {
    // SAFETY: bpf_loop passes the state on.
    let run = unsafe { *run };
    if FACTS.short_pins() != 0 && run.pages == 1 && took_short_way(run.flags) {
        return 0;
    }
    pin_and_unpin::<Chunks>(run)
}

/// Pins and unpins the first page by the short way. Returns false if the short way cannot pin the page.
#[inline(always)]
fn took_short_way(flags: u64) -> bool {
    let Some(array) = BENCH_POINTERS.get_ptr(0) else {
        return false;
    };
    if longterm_scope::is_longterm(flags) || !small_folio::acquired(array as u64, CALLER) {
        return false;
    }
    let page = Words::readable(array.cast()).word::<0>();
    if !small_folio::released(page) {
        count::loss(Loss::CellContended, 1);
    }
    true
}

/// Stands for the return address in the caller of the pin function.
const CALLER: u64 = 1;

#[inline(always)]
fn pin_and_unpin<T: CellTable>(run: Run) -> i64 {
    let Some(first) = BENCH_POINTERS.get_ptr(0) else {
        return 1;
    };
    let slot = first as u64;
    // The helper copies the number, as above. A hook reads a number too.
    let Some(array) = kernel::read_u64(&raw const slot as u64) else {
        return 1;
    };
    let call = PinCall {
        mm: 0,
        address: 0x1000,
        flags: run.flags,
        array,
        pages: run.pages,
        caller: CALLER,
        of_file: 0,
    };
    acquire::acquired_by(run.ctx, &call, When::Now, acquire::pin_pages::<T>);
    if !longterm_scope::inside(run.ctx) {
        release::unpin_pages::<T>(Pages::Array(call.array), run.pages, 0);
    }
    0
}
