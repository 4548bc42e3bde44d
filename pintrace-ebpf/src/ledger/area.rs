//! The parts of a pin call that lie in one area each: in anonymous memory, or in one file at consecutive offsets. A buffer
//! may begin in one mapping and end in the next.

use crate::{
    folio::{self, Folio},
    kernel,
};

/// Most parts of a call that become extents of their own. The last part takes all pages that are left.
pub const MOST_PARTS: u32 = 4;
/// log2 of the number of pages of a call whose areas are found: 4 GiB of memory.
const SEARCH_STEPS: u32 = 20;
/// Pages of the smallest hugetlb page. Before 6.7 the index of a hugetlb page counts hugetlb pages.
const HUGE_PAGES: u64 = 512;

/// Returns the number of pages from the first on that are in one area. `array` is the address of the first entry of
/// pages[]. The search halves the call, so an area between two parts of the same file may not be found. The function is
/// global, so that the verifier follows it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_area_pages(array: u64, pages: u64) -> u64 {
    if pages < 2 {
        return pages;
    }
    let (file, offset) = folio::file_of(kernel::u64_at(array));
    if in_area(array, pages - 1, file, offset) {
        return pages;
    }
    // Page `inside` is in the area of the first page, and page `outside` is not.
    let (mut inside, mut outside) = (0u64, pages - 1);
    let mut step = 0;
    while step < SEARCH_STEPS {
        if outside - inside > 1 {
            let middle = inside + (outside - inside) / 2;
            if in_area(array, middle, file, offset) {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        step += 1;
    }
    outside
}

/// Returns true if page `index` of a call is in the area of the first page, which is at `offset` of `file`.
#[inline(always)]
fn in_area(array: u64, index: u64, file: u64, offset: u64) -> bool {
    let page = kernel::u64_at(array + index * 8);
    let (its_file, its_offset) = folio::file_of(page);
    if its_file != file {
        return false;
    }
    if file == 0 || its_offset == offset + (index << 12) {
        return true;
    }
    let folio = Folio::of(page);
    folio.is_none() || folio.bytes() >= HUGE_PAGES << 12
}
