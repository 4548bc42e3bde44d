//! From a struct page to its folio: head page, size, and pins.

use pintrace_common::folio::{self, KeptBytes};

use crate::{
    facts::{FACTS, MM_EVENT_FACTS},
    kernel,
    rdonly_cast::Words,
};

/// The folio of a page, as one number: head | order << 1 | pinned.
#[derive(Clone, Copy)]
pub struct Folio(pub u64);

impl Folio {
    /// Returns the folio of a page. [`Folio::is_none`] is true if the struct page cannot be read.
    #[inline(always)]
    pub fn of(page: u64) -> Self {
        Self(pintrace_folio_of(page))
    }

    /// Returns true if there is no folio.
    #[inline(always)]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Returns the address of the head page's struct page.
    #[inline(always)]
    pub fn head(self) -> u64 {
        folio::head(self.0)
    }

    /// Returns the address after the last struct page.
    #[inline(always)]
    pub fn end(self) -> u64 {
        self.head() + ((1u64 << self.order()) << (FACTS.page_struct_shift() & 31))
    }

    /// Returns the bytes that a pin on the folio keeps in place.
    #[inline(always)]
    pub fn bytes(self) -> u64 {
        1u64 << (self.order() + 12)
    }

    /// Returns the bytes that a pin on the folio keeps in place, as [`KeptBytes`].
    #[inline(always)]
    pub fn kept(self) -> u64 {
        KeptBytes::of_folio(self.bytes()).0
    }

    /// Returns true if the folio may carry a pin. A small folio whose reference count is below the pin bias carries
    /// none: the zero page, which the kernel returns in pages[] without a pin (`try_grab_folio`, `is_zero_folio`).
    #[inline(always)]
    pub fn is_pinned(self) -> bool {
        folio::is_pinned(self.0)
    }

    /// Returns the address of the head page's struct page, marked by [`folio::not_exclusive`] if the folio is.
    #[inline(always)]
    pub fn marked_head(self) -> u64 {
        folio::marked_head(self.0)
    }

    /// Returns the number of pins on the folio. The number is exact for a large folio; for a small folio it is computed
    /// from the references without those of page tables.
    #[inline(always)]
    pub fn pins(self) -> u64 {
        let head = self.head();
        if self.order() != 0 && self.order() >= u64::from(FACTS.pincount_order()) {
            return u64::from(kernel::u32_at(head + u64::from(FACTS.folio_pincount())));
        }
        let refcount = kernel::u32_at(head + u64::from(FACTS.page_refcount()));
        let mapcount = kernel::u32_at(head + u64::from(FACTS.page_mapcount()));
        let maps = folio::maps(refcount, mapcount.wrapping_add(1));
        u64::from((refcount - maps).checked_div(FACTS.pin_bias()).unwrap_or(0))
    }

    /// Returns log2 of the folio's number of pages.
    #[inline(always)]
    fn order(self) -> u64 {
        folio::order(self.0)
    }
}

/// [`Folio::of`] in a global function, which the verifier follows once. Returns 0 if the struct page cannot be read.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_folio_of(page: u64) -> u64 {
    let Some(Head {
        flags,
        link,
        refcount,
    }) = Head::read(page)
    else {
        return 0;
    };
    let head = if link & 1 == 1 {
        folio::head_of_tail(page, link, FACTS.head_encoding())
    } else if is_head(flags) && page & (VMEMMAP_PAGE - 1) == 0 {
        match head_behind_head(page) {
            Some(head) => head,
            None => return 0,
        }
    } else {
        return audited(packed(page, flags, refcount), flags);
    };
    match kernel::read_u64(head + u64::from(FACTS.page_flags())) {
        // A huge page that is mapped as a whole has the flag in its head page, else each page has its own flag.
        Some(head_flags) => audited(packed(head, head_flags, u32::MAX), flags | head_flags),
        None => 0,
    }
}

/// Marks a folio that is pinned and anonymous, and that the kernel may share with another process. From 5.19 on, a pinned
/// anonymous page is exclusive (`sanity_check_pinned_pages`, mm/gup.c). `flags` are those of the page and of its head.
#[inline(always)]
fn audited(packed: u64, flags: u64) -> u64 {
    let bit = FACTS.pg_anon_exclusive();
    if bit == 0 || flags >> (bit & 63) & 1 != 0 || !folio::is_pinned(packed) {
        return packed;
    }
    let head = folio::head(packed);
    let mapping = match Words::at(head) {
        Some(words) if FACTS.page_mapping() == 24 => words.word::<3>(),
        _ => kernel::u64_at(head + u64::from(FACTS.page_mapping())),
    };
    if is_anonymous(mapping) {
        return folio::not_exclusive(packed);
    }
    packed
}

/// Returns true if `page.mapping` is that of an anonymous page that is not merged by KSM (`PAGE_MAPPING_ANON`).
#[inline(always)]
pub fn is_anonymous(mapping: u64) -> bool {
    mapping & NO_FILE == 1
}

/// Bytes of struct pages that one small page of vmemmap holds.
const VMEMMAP_PAGE: u64 = 4096;

#[inline(always)]
fn is_head(flags: u64) -> bool {
    flags >> (FACTS.pg_head() & 63) & 1 == 1
}

/// Returns the head page of a page that seems to be a head and begins a page of vmemmap. If the vmemmap of a hugetlb
/// folio is folded (`hugetlb_free_vmemmap`), each page of the folio's vmemmap shows the first one and seems to begin
/// with a head. The next struct page is a tail and names the real head (`page_fixed_fake_head`,
/// include/linux/page-flags.h).
#[inline(always)]
fn head_behind_head(page: u64) -> Option<u64> {
    let next = page + (1 << (FACTS.page_struct_shift() & 31));
    let link = kernel::read_u64(next + u64::from(FACTS.page_compound_head()))?;
    Some(if link & 1 == 1 {
        folio::head_of_tail(next, link, FACTS.head_encoding())
    } else {
        page
    })
}

/// The fields that are read from every struct page.
struct Head {
    flags: u64,
    /// `compound_head` or `compound_info`.
    link: u64,
    refcount: u32,
}

impl Head {
    #[inline(always)]
    fn read(page: u64) -> Option<Self> {
        // All known kernels have these offsets, and one read costs less than three. The verifier drops the other
        // branch.
        if FACTS.page_flags() == 0 && FACTS.page_compound_head() == 8 && FACTS.page_refcount() == 52 {
            if let Some(words) = Words::at(page) {
                let (flags, link) = (words.word::<0>(), words.word::<1>());
                let refcount = (words.word::<6>() >> 32) as u32;
                // Unreadable memory reads as zeros, and a pinned page is never all zeros.
                if link & 1 == 1 || refcount != 0 {
                    return Some(Self {
                        flags,
                        link,
                        refcount,
                    });
                }
            }
            let [flags, link, .., last, _] = kernel::read::<[u64; 8]>(page)?;
            return Some(Self {
                flags,
                link,
                refcount: (last >> 32) as u32,
            });
        }
        Some(Self {
            flags: kernel::read_u64(page + u64::from(FACTS.page_flags()))?,
            link: kernel::read_u64(page + u64::from(FACTS.page_compound_head()))?,
            refcount: kernel::read_u32(page + u64::from(FACTS.page_refcount()))?,
        })
    }
}

#[inline(always)]
fn packed(head: u64, flags: u64, refcount: u32) -> u64 {
    if !is_head(flags) {
        return folio::pack(head, 0, refcount >= FACTS.pin_bias());
    }
    match kernel::read_u32(head + u64::from(FACTS.folio_nr_pages())) {
        Some(pages) => folio::pack(head, folio::order_of(pages), true),
        None => 0,
    }
}

/// In `page.mapping`: the page belongs to no file (`PAGE_MAPPING_FLAGS`, include/linux/page-flags.h).
const NO_FILE: u64 = 3;

/// Returns true if a page with this `page.mapping` belongs to no file.
#[inline(always)]
pub fn has_no_file(mapping: u64) -> bool {
    mapping == 0 || mapping & NO_FILE != 0
}

/// Returns the `address_space` of a page of a folio, and the page's offset in bytes; two zeros if the page belongs to no
/// file.
#[inline(always)]
pub fn file_of(folio: Folio, page: u64) -> (u64, u64) {
    if folio.is_none() {
        return (0, 0);
    }
    let head = folio.head();
    let mapping = kernel::u64_at(head + MM_EVENT_FACTS.page_mapping());
    if has_no_file(mapping) {
        return (0, 0);
    }
    let index = kernel::u64_at(head + MM_EVENT_FACTS.page_index());
    let inside = (page - head) >> (FACTS.page_struct_shift() & 31);
    (mapping, (index << index_shift(folio, mapping)) + (inside << 12))
}

/// Returns log2 of the bytes that one unit of `page.index` stands for. Up to 6.6 the index of a hugetlb page counts huge
/// pages, whose size is the block size of the file (`hugetlbfs_fill_super`, fs/hugetlbfs/inode.c).
#[inline(always)]
fn index_shift(folio: Folio, mapping: u64) -> u64 {
    if MM_EVENT_FACTS.hugetlb_index() == 0 || folio.order() == 0 {
        return 12;
    }
    let inode = kernel::u64_at(mapping + MM_EVENT_FACTS.address_space_host());
    let bits = u64::from(kernel::u32_at(inode + MM_EVENT_FACTS.inode_block_bits()) & 0xff);
    // The blocks of all other files are small pages at most, before 6.15.
    if bits > 12 && bits < 48 { bits } else { 12 }
}
