//! From a struct page to its folio: head, size, and whether it is pinned at all.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use pintrace_common::facts::head_encoding;

use crate::{facts, kernel};

/// `sizeof(struct page)` rounded down to what is read of it, in u32 words.
const WORDS: usize = 16;

/// The folio that a page belongs to.
#[derive(Clone, Copy)]
pub struct Folio {
    /// Address of the head's struct page.
    pub head: u64,
    /// Address after the last struct page.
    pub end: u64,
    /// A small folio whose reference count is below the pin bias carries no pin. That is the zero
    /// page, which the kernel returns in pages[] without pinning it (`try_grab_folio`,
    /// `is_zero_folio`).
    pub pinned: bool,
}

impl Folio {
    /// Bytes that it keeps in place.
    #[inline(always)]
    pub fn bytes(&self) -> u64 {
        ((self.end - self.head) >> facts::page_struct_shift()) << 12
    }
}

struct Words([u32; WORDS]);

impl Words {
    #[inline(always)]
    fn read(page: u64) -> Option<Self> {
        // SAFETY: the helper checks the address; a fault is an error, not a crash.
        unsafe { bpf_probe_read_kernel(page as *const [u32; WORDS]) }
            .ok()
            .map(Self)
    }

    #[inline(always)]
    fn u32_at(&self, offset: u32) -> u32 {
        self.0[(offset as usize / 4) & (WORDS - 1)]
    }

    #[inline(always)]
    fn u64_at(&self, offset: u32) -> u64 {
        u64::from(self.u32_at(offset)) | u64::from(self.u32_at(offset + 4)) << 32
    }
}

/// Finds the folio of a page. `None` if its struct page cannot be read.
#[inline(always)]
pub fn folio_of(page: u64) -> Option<Folio> {
    let packed = pintrace_folio_of(page);
    if packed == 0 {
        return None;
    }
    let head = packed & !PACKED;
    let order = (packed >> 1 & 31) as u32;
    let end = head + ((1u64 << order) << (facts::page_struct_shift() & 31));
    Some(Folio {
        head,
        end,
        pinned: packed & 1 == 1,
    })
}

/// Struct pages are aligned to more than what is packed below their address.
const PACKED: u64 = 63;

/// The folio as one number: head | order << 1 | pinned; 0 if it cannot be read. A global function:
/// the verifier follows it once, and its frame is not part of the caller's.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn pintrace_folio_of(page: u64) -> u64 {
    let Some(words) = Words::read(page) else {
        return 0;
    };
    let link = words.u64_at(facts::page_compound_head());
    if link & 1 == 1 {
        let is_mask = link >> head_encoding::MASK_SHIFT == head_encoding::MASK_BITS;
        let head = if facts::head_encoding() == head_encoding::INFO && is_mask {
            page & link
        } else {
            link - 1
        };
        return match kernel::read_u64(head + u64::from(facts::page_flags())) {
            Some(flags) => packed(head, flags, u32::MAX),
            None => 0,
        };
    }
    let flags = words.u64_at(facts::page_flags());
    packed(page, flags, words.u32_at(facts::page_refcount()))
}

#[inline(always)]
fn packed(head: u64, flags: u64, refcount: u32) -> u64 {
    if flags >> (facts::pg_head() & 63) & 1 == 0 {
        return head | u64::from(refcount >= facts::pin_bias());
    }
    match kernel::read_u32(head + u64::from(facts::folio_nr_pages())) {
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
