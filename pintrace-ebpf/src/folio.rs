//! From a struct page to its folio: head, size, and whether it is pinned at all.

use pintrace_common::facts::head_encoding;

use crate::{
    facts::{FACTS, MM_EVENT_FACTS},
    kernel,
    rdonly_cast::Words,
};

/// The folio that a page belongs to, as one number: head | order << 1 | pinned.
#[derive(Clone, Copy)]
pub struct Folio(pub u64);

/// Struct pages are aligned to more than what is packed below their address.
const PACKED: u64 = 63;

impl Folio {
    /// The folio of a page; [`Folio::is_none`] if its struct page cannot be read.
    #[inline(always)]
    pub fn of(page: u64) -> Self {
        Self(pintrace_folio_of(page))
    }

    /// Whether there is none.
    #[inline(always)]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Address of the head's struct page.
    #[inline(always)]
    pub fn head(self) -> u64 {
        self.0 & !PACKED
    }

    /// Address after the last struct page.
    #[inline(always)]
    pub fn end(self) -> u64 {
        self.head() + ((1u64 << self.order()) << (FACTS.page_struct_shift() & 31))
    }

    /// Bytes that it keeps in place.
    #[inline(always)]
    pub fn bytes(self) -> u64 {
        1u64 << (self.order() + 12)
    }

    /// A small folio whose reference count is below the pin bias carries no pin. That is the zero
    /// page, which the kernel returns in pages[] without pinning it (`try_grab_folio`,
    /// `is_zero_folio`).
    #[inline(always)]
    pub fn is_pinned(self) -> bool {
        self.0 & 1 == 1
    }

    /// How many pins it carries now: exact for a large folio; for a small one a count of references, less those of
    /// the page tables that map it.
    #[inline(always)]
    pub fn pins(self) -> u64 {
        let head = self.head();
        if self.order() != 0 && self.order() >= u64::from(FACTS.pincount_order()) {
            return u64::from(kernel::u32_at(head + u64::from(FACTS.folio_pincount())));
        }
        let refcount = kernel::u32_at(head + u64::from(FACTS.page_refcount()));
        let mapcount = kernel::u32_at(head + u64::from(FACTS.page_mapcount()));
        let maps = mapcount.wrapping_add(1);
        // What is no count of maps is a type of page, in the same place.
        let maps = if maps > refcount { 0 } else { maps };
        u64::from((refcount - maps).checked_div(FACTS.pin_bias()).unwrap_or(0))
    }

    /// log2 of its pages.
    #[inline(always)]
    fn order(self) -> u64 {
        self.0 >> 1 & 31
    }
}

/// [`Folio::of`] as a global function: the verifier follows it once. 0 if it cannot be read.
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
        head_of_tail(page, link)
    } else if is_head(flags) && page & (VMEMMAP_PAGE - 1) == 0 {
        match head_behind_head(page) {
            Some(head) => head,
            None => return 0,
        }
    } else {
        return packed(page, flags, refcount);
    };
    match kernel::read_u64(head + u64::from(FACTS.page_flags())) {
        Some(flags) => packed(head, flags, u32::MAX),
        None => 0,
    }
}

/// What maps the struct pages: bytes of a small page.
const VMEMMAP_PAGE: u64 = 4096;

#[inline(always)]
fn is_head(flags: u64) -> bool {
    flags >> (FACTS.pg_head() & 63) & 1 == 1
}

/// The head that a tail page's link leads to.
#[inline(always)]
fn head_of_tail(page: u64, link: u64) -> u64 {
    let is_mask = link >> head_encoding::MASK_SHIFT == head_encoding::MASK_BITS;
    if FACTS.head_encoding() == head_encoding::INFO && is_mask {
        page & link
    } else {
        link - 1
    }
}

/// The head of what looks like a head at the start of a page of struct pages. In a hugetlb folio whose struct pages are
/// folded (`hugetlb_free_vmemmap`) all of those show the first, so that each begins with what looks like the
/// head; the struct page after it knows better (`page_fixed_fake_head`, include/linux/page-flags.h).
#[inline(always)]
fn head_behind_head(page: u64) -> Option<u64> {
    let next = page + (1 << (FACTS.page_struct_shift() & 31));
    let link = kernel::read_u64(next + u64::from(FACTS.page_compound_head()))?;
    Some(if link & 1 == 1 {
        head_of_tail(next, link)
    } else {
        page
    })
}

/// What is read of any struct page.
struct Head {
    flags: u64,
    /// `compound_head` or `compound_info`.
    link: u64,
    refcount: u32,
}

impl Head {
    #[inline(always)]
    fn read(page: u64) -> Option<Self> {
        // So it is on all kernels known, and one reading costs less than three. The verifier drops the other way.
        if FACTS.page_flags() == 0 && FACTS.page_compound_head() == 8 && FACTS.page_refcount() == 52 {
            if let Some(words) = Words::at(page) {
                let (flags, link) = (words.word::<0>(), words.word::<1>());
                let refcount = (words.word::<6>() >> 32) as u32;
                // What cannot be read is all zeros, and nothing pinned is.
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
        return head | u64::from(refcount >= FACTS.pin_bias());
    }
    match kernel::read_u32(head + u64::from(FACTS.folio_nr_pages())) {
        Some(pages) => head | u64::from(order_of(pages)) << 1 | 1,
        None => 0,
    }
}

/// log2 of a folio's number of pages, which is a power of two.
#[inline(always)]
fn order_of(pages: u32) -> u32 {
    let mut order = 0;
    for shift in [16, 8, 4, 2, 1] {
        if pages >> (order + shift) != 0 {
            order += shift;
        }
    }
    order
}

/// In `page.mapping`: not a file's page (`PAGE_MAPPING_FLAGS`, include/linux/page-flags.h).
const NO_FILE: u64 = 3;

/// The file that a page belongs to and where in it, in bytes; two zeros if it belongs to none.
#[inline(always)]
pub fn file_of(page: u64) -> (u64, u64) {
    let folio = Folio::of(page);
    if folio.is_none() {
        return (0, 0);
    }
    let head = folio.head();
    let mapping = kernel::u64_at(head + MM_EVENT_FACTS.page_mapping());
    if mapping == 0 || mapping & NO_FILE != 0 {
        return (0, 0);
    }
    let index = kernel::u64_at(head + MM_EVENT_FACTS.page_index());
    let inside = (page - head) >> (FACTS.page_struct_shift() & 31);
    (mapping, (index + inside) << 12)
}
