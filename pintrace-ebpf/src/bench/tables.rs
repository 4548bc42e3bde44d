//! Folio tables that the shipped table replaced. The bench keeps them, so that the choice can be measured again.
//! again.

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, BPF_NOEXIST},
    macros::map,
    maps::{Array, HashMap},
};

use crate::{atomic::Word, facts::FACTS, ledger::folio_table::CellTable};

/// Cells by the address of the head page.
#[map]
static BENCH_BY_FOLIO: HashMap<u64, u64> = HashMap::with_max_entries(1 << 19, BPF_F_NO_PREALLOC);

/// Cells by page frame number, counted from [`BENCH_ORIGIN`].
#[map]
static BENCH_BY_FRAME: Array<u64> = Array::with_max_entries(1 << 19, 0);

/// Address of the first synthetic struct page, as `vmemmap_base` is for real struct pages.
#[map]
pub static BENCH_ORIGIN: Array<u64> = Array::with_max_entries(1, 0);

/// A hash keyed by folio.
#[derive(Clone, Copy)]
pub struct ByFolio;

impl CellTable for ByFolio {
    #[inline(always)]
    fn find(head: u64) -> Option<Word> {
        // SAFETY: a map value that the running program keeps alive, accessed atomically only.
        BENCH_BY_FOLIO
            .get_ptr_mut(head)
            .map(|cell| unsafe { Word::at(cell) })
    }

    #[inline(always)]
    fn find_or_make(head: u64) -> Option<Word> {
        if let Some(cell) = Self::find(head) {
            return Some(cell);
        }
        let _ = BENCH_BY_FOLIO.insert(head, 0, u64::from(BPF_NOEXIST));
        Self::find(head)
    }

    #[inline(always)]
    fn emptied(head: u64) {
        let _ = BENCH_BY_FOLIO.remove(head);
    }
}

/// A flat array indexed by page frame number.
#[derive(Clone, Copy)]
pub struct ByFrame;

impl CellTable for ByFrame {
    #[inline(always)]
    fn find(head: u64) -> Option<Word> {
        let origin = BENCH_ORIGIN.get(0).copied().unwrap_or(0);
        let frame = head.wrapping_sub(origin) >> (FACTS.page_struct_shift() & 31);
        // SAFETY: a live map value, accessed atomically only.
        BENCH_BY_FRAME
            .get_ptr_mut(frame as u32)
            .map(|cell| unsafe { Word::at(cell) })
    }

    #[inline(always)]
    fn find_or_make(head: u64) -> Option<Word> {
        Self::find(head)
    }
}
