//! Reads one folio from its struct pages.

use pintrace_common::folio::order_of;
use pintrace_common::scan::{MAPPING_ANON, MAPPING_FILE, MAPPING_KSM, PAGE_STRUCT, PinnedFolio};
use pintrace_kernel::folio_layout::LargeMaps;
use pintrace_kernel::scan_layout::Layout;

use crate::exclusivity::Mark;
use crate::kernel_memory::{KernelMemory, low_half};

/// Words of a struct page.
const WORDS: usize = PAGE_STRUCT / 8;
/// Struct pages of a large folio that hold the counts of the folio.
const COUNTING_PAGES: usize = 3;
/// The largest plausible order: 1 GiB.
const MOST_ORDER: u8 = 18;

/// The place of a page in its folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FolioPlace {
    /// Frame of the head page.
    pub pfn: u64,
    /// log2 of the number of pages.
    pub order: u8,
    /// Number of the page in the folio; 0 for the head page.
    pub page: u64,
}

/// The struct pages of one folio.
#[derive(Clone, Debug)]
pub(super) struct FolioRead {
    pub(super) place: FolioPlace,
    /// The words of the head page, and of the next struct pages of a large folio.
    words: Vec<u64>,
    pub(super) found: PinnedFolio,
    /// `page.mapping` of the head page.
    pub(super) mapping: u64,
    /// `page.index` of the head page.
    pub(super) index: u64,
    /// The folio counts its pins exactly.
    pub(super) exact: bool,
}

/// Reads the folio that contains a frame. `None` if the frame has no struct page.
pub(super) fn read(memory: &dyn KernelMemory, layout: &Layout, vmemmap: u64, pfn: u64) -> Option<FolioRead> {
    let facts = &layout.facts;
    let address = |pfn: u64| vmemmap.wrapping_add(pfn.wrapping_mul(PAGE_STRUCT as u64));
    let own = memory.words(address(pfn), WORDS)?;
    // The kernel has not set up the struct page (`PAGE_POISON_PATTERN`).
    if word(&own, facts.page_flags)? == u64::MAX {
        return None;
    }
    // A tail page does not need to say where its head is: the head is the frame, aligned to the size of the folio. If
    // the struct pages of a hugetlb folio are folded, some tails look like heads, and are not aligned.
    let head = (0..=MOST_ORDER).find_map(|order| {
        let first = pfn & !((1 << order) - 1);
        if order > 0 && first == pfn & !((1 << (order - 1)) - 1) {
            return None;
        }
        let words = memory.words(address(first), WORDS * COUNTING_PAGES)?;
        let flags = word(&words, facts.page_flags)?;
        let is_head = flags != u64::MAX && flags >> (facts.pg_head & 63) & 1 == 1;
        let of_folio = u8::try_from(order_of(half(&words, facts.folio_nr_pages)?)).ok()?;
        let size = 1u64 << of_folio.min(MOST_ORDER);
        (is_head
            && of_folio > 0
            && of_folio <= MOST_ORDER
            && first.is_multiple_of(size)
            && pfn < first + size)
            .then_some((first, of_folio, words))
    });
    let (first, order, words) = head.unwrap_or((pfn, 0, own));
    let refcount = half(&words, facts.page_refcount)?;
    let mapping = word(&words, facts.page_mapping)?;
    let exact = order != 0 && u32::from(order) >= facts.pincount_order;
    let found = PinnedFolio {
        pfn: first,
        pins: if exact {
            half(&words, facts.folio_pincount)?
        } else {
            refcount.checked_div(facts.pin_bias).unwrap_or(0)
        },
        refcount,
        mapcount: if order == 0 {
            half(&words, facts.page_mapcount)?.wrapping_add(1)
        } else {
            0
        },
        order,
        mapping: match mapping & 3 {
            _ if mapping == 0 => 0,
            3 => MAPPING_KSM,
            1 => MAPPING_ANON,
            0 => MAPPING_FILE,
            // A page of a driver that can migrate it (`PAGE_MAPPING_MOVABLE`).
            _ => 0,
        },
        uptodate: u8::from(word(&words, facts.page_flags)? >> (facts.pg_uptodate & 63) & 1 == 1),
        exclusive: 0,
    };
    let index = layout.rmap.and_then(|rmap| word(&words, rmap.page_index));
    Some(FolioRead {
        place: FolioPlace {
            pfn: first,
            order,
            page: pfn - first,
        },
        words,
        found,
        mapping,
        index: index.unwrap_or(0),
        exact,
    })
}

impl FolioRead {
    /// Returns how many page table entries map a part of the folio. Each holds a reference. `None` if unknown.
    pub(super) fn maps(
        &self,
        memory: &dyn KernelMemory,
        layout: &Layout,
        large: Option<LargeMaps>,
        vmemmap: u64,
        hugetlb: bool,
    ) -> Option<u64> {
        if self.place.order == 0 {
            return Some(pintrace_common::folio::maps(self.found.refcount, self.found.mapcount).into());
        }
        let counter = |offset| Some(u64::from(half(&self.words, offset)?.wrapping_add(1)));
        let (entire, file_pages_count_all, double_map) = match large? {
            LargeMaps::Sum(offset) => return counter(offset),
            LargeMaps::Parts {
                entire,
                file_pages_count_all,
                double_map,
            } => (counter(entire)?, file_pages_count_all, double_map),
        };
        if hugetlb {
            return Some(entire);
        }
        let pages = 1u64 << self.place.order;
        let address = vmemmap.wrapping_add(self.place.pfn.wrapping_mul(PAGE_STRUCT as u64));
        let words = memory.words(address, usize::try_from(pages).ok()? * WORDS)?;
        let mut all = entire;
        for page in words.chunks_exact(WORDS) {
            all += u64::from(half(page, layout.facts.page_mapcount)?.wrapping_add(1));
        }
        if file_pages_count_all && self.found.mapping == MAPPING_FILE {
            return all.checked_sub(entire * pages);
        }
        let second = words.get(WORDS + layout.facts.page_flags as usize / 8)?;
        if double_map.is_some_and(|bit| second >> (bit & 63) & 1 == 1) {
            return all.checked_sub(pages);
        }
        Some(all)
    }
}

/// Reads the folio with this order that begins at a frame once more, for the audit of exclusive pages. `bit` is the number
/// of `PG_anon_exclusive`.
pub(crate) fn mark(
    memory: &dyn KernelMemory,
    layout: &Layout,
    vmemmap: u64,
    pfn: u64,
    order: u8,
    bit: u32,
) -> Mark {
    let is_pinned = |folio: &FolioRead| {
        let anonymous = folio.found.mapping & MAPPING_ANON != 0;
        anonymous && folio.place.order == order && folio.place.page == 0 && folio.found.pins > 0
    };
    if !read(memory, layout, vmemmap, pfn).is_some_and(|folio| is_pinned(&folio)) {
        return Mark::Exclusive;
    }
    let address = vmemmap.wrapping_add(pfn.wrapping_mul(PAGE_STRUCT as u64));
    let pages = usize::try_from(1u64 << order.min(MOST_ORDER)).unwrap_or(1);
    let Some(words) = memory.words(address, pages * WORDS) else {
        return Mark::Exclusive;
    };
    let mut flags = words
        .chunks_exact(WORDS)
        .filter_map(|page| word(page, layout.facts.page_flags));
    if flags.any(|flags| flags >> (bit & 63) & 1 == 1) {
        Mark::Exclusive
    } else {
        Mark::Missing
    }
}

fn word(words: &[u64], offset: u32) -> Option<u64> {
    words.get(offset as usize / 8).copied()
}

fn half(words: &[u64], offset: u32) -> Option<u32> {
    Some(low_half(word(words, offset)? >> (offset % 8 * 8)))
}

#[cfg(test)]
mod tests;
