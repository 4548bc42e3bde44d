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

    #[inline(always)]
    fn is_head(&self) -> bool {
        let bit = facts::pg_head();
        self.u64_at(facts::page_flags()) >> (bit & 63) & 1 == 1
    }
}

/// Finds the folio of a page. `None` if its struct page cannot be read.
#[inline(always)]
pub fn folio_of(page: u64) -> Option<Folio> {
    let mut words = Words::read(page)?;
    let mut head = page;
    let link = words.u64_at(facts::page_compound_head());
    if link & 1 == 1 {
        head = if facts::head_encoding() == head_encoding::MASK { page & link } else { link - 1 };
        words = Words::read(head)?;
    }
    let size = 1u64 << (facts::page_struct_shift() & 31);
    if words.is_head() {
        let pages = kernel::read_u32(head + u64::from(facts::folio_nr_pages()))?;
        let end = head + u64::from(pages.max(1)) * size;
        return Some(Folio { head, end, pinned: true });
    }
    let pinned = words.u32_at(facts::page_refcount()) >= facts::pin_bias();
    Some(Folio { head, end: head + size, pinned })
}
