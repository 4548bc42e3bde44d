//! The arithmetic of struct pages: a folio as one number, its order, its head page, and the references of page tables.

#![expect(
    clippy::inline_always,
    reason = "a call costs a BPF program more than these functions do"
)]

use crate::facts::head_encoding;

/// Mask of the bits below the alignment of a struct page. The bits hold the order and the flag.
const PACKED: u64 = 63;

/// Packs a folio into one number: head | order << 1 | pinned. `head` is aligned to 64 bytes, and `order` is below 32.
#[inline(always)]
pub fn pack(head: u64, order: u32, pinned: bool) -> u64 {
    head | u64::from(order) << 1 | u64::from(pinned)
}

/// Bit that is set in each kernel address, as is the bit below it.
const KERNEL: u64 = 1 << 63;

/// Marks a packed folio as anonymous and not exclusive: the kernel may share its pages with another process.
#[inline(always)]
pub fn not_exclusive(packed: u64) -> u64 {
    packed & !KERNEL
}

/// Returns true if a packed folio is marked by [`not_exclusive`].
#[inline(always)]
pub fn is_not_exclusive(packed: u64) -> bool {
    packed & KERNEL == 0
}

/// Returns the address of the head page's struct page, with the mark of [`not_exclusive`].
#[inline(always)]
pub fn marked_head(packed: u64) -> u64 {
    packed & !PACKED
}

/// Returns the address of the head page's struct page.
#[inline(always)]
pub fn head(packed: u64) -> u64 {
    // Copies bit 62 into bit 63. An OR would give the address bounds, with which the verifier follows each comparison of
    // addresses separately.
    ((packed << 1).cast_signed() >> 1).cast_unsigned() & !PACKED
}

/// Returns log2 of the number of pages.
#[inline(always)]
pub fn order(packed: u64) -> u64 {
    packed >> 1 & 31
}

/// Returns true if the folio may carry a pin.
#[inline(always)]
pub fn is_pinned(packed: u64) -> bool {
    packed & 1 == 1
}

/// Returns log2 of a folio's number of pages, which is a power of two.
#[inline(always)]
pub fn order_of(pages: u32) -> u32 {
    let mut order = 0;
    for shift in [16, 8, 4, 2, 1] {
        if pages >> (order + shift) != 0 {
            order += shift;
        }
    }
    order
}

/// Returns the head page that `link` of the tail page `page` leads to. `encoding` is one of [`head_encoding`].
#[inline(always)]
pub fn head_of_tail(page: u64, link: u64, encoding: u32) -> u64 {
    let is_mask = link >> head_encoding::MASK_SHIFT == head_encoding::MASK_BITS;
    if encoding == head_encoding::INFO && is_mask {
        page & link
    } else {
        link - 1
    }
}

/// Returns how many page table entries map a small page, from its number of references and the number in `_mapcount`
/// plus one. A value above the number of references is no map count but a page type, in the same field
/// (`page.page_type`).
#[inline(always)]
pub fn maps(references: u32, mapcount: u32) -> u32 {
    if mapcount > references { 0 } else { mapcount }
}

/// Bytes that an owner keeps in place, and how many of them are in folios of 2 MiB and more, in one word, so that the sum over
/// a call has the sums of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptBytes(pub u64);

impl KeptBytes {
    /// log2 of the size from which on a folio is huge.
    const HUGE_SHIFT: u32 = 21;
    /// First bit of the number of huge pages of 2 MiB. The bits below hold 16 TiB, more than one call can pin.
    const SHIFT: u32 = 44;

    /// Returns the bytes of one folio.
    #[inline]
    #[must_use]
    pub const fn of_folio(bytes: u64) -> Self {
        Self(bytes | (bytes >> Self::HUGE_SHIFT) << Self::SHIFT)
    }

    /// Returns all bytes, and the bytes in folios of 2 MiB and more.
    #[inline]
    #[must_use]
    pub const fn split(self) -> (u64, u64) {
        // Mostly there is no huge folio. The hooks make one comparison then.
        match self.0 >> Self::SHIFT {
            0 => (self.0, 0),
            huge => (self.0 & ((1 << Self::SHIFT) - 1), huge << Self::HUGE_SHIFT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: u64 = 0xffff_ea00_0400_0040;

    #[test]
    fn a_packed_folio_gives_back_its_parts() {
        for bits in [0, 1, 9, 18, 31] {
            for pinned in [false, true] {
                let packed = pack(HEAD, bits, pinned);
                for (packed, exclusive) in [(packed, true), (not_exclusive(packed), false)] {
                    let parts = (head(packed), order(packed), is_pinned(packed));
                    assert_eq!(parts, (HEAD, u64::from(bits), pinned));
                    assert_eq!(is_not_exclusive(packed), !exclusive);
                    assert_eq!(head(marked_head(packed)), HEAD);
                    assert_eq!(is_not_exclusive(marked_head(packed)), !exclusive);
                }
            }
        }
    }

    #[test]
    fn the_order_is_log2_of_each_power_of_two() {
        for order in 0..32 {
            assert_eq!(order_of(1 << order), order);
        }
    }

    #[test]
    fn a_pointer_leads_to_the_head_whatever_the_encoding() {
        for encoding in [head_encoding::POINTER, head_encoding::INFO] {
            assert_eq!(head_of_tail(HEAD + 128, HEAD | 1, encoding), HEAD);
        }
    }

    #[test]
    fn a_mask_leads_to_the_head_where_the_kernel_has_masks() {
        // The struct pages of a folio of order 9 are 32 KiB, aligned to 32 KiB.
        let head = 0xffff_ea00_0400_0000;
        let mask = !(0x8000 - 1) | 1;
        assert_eq!(head_of_tail(head + 64 * 511, mask, head_encoding::INFO), head);
    }

    #[test]
    fn a_page_type_is_no_map_count() {
        assert_eq!(maps(1025, 1), 1);
        assert_eq!(maps(1025, 1025), 1025);
        assert_eq!(maps(1024, 0xf000_0001), 0);
    }

    #[test]
    fn kept_bytes_of_small_and_huge_folios_add_up() {
        let folios = [4096, 64 << 10, 1 << 20, 2 << 20, 1 << 30, 1 << 30];
        let sum = folios
            .iter()
            .fold(0, |sum, bytes| sum + KeptBytes::of_folio(*bytes).0);
        let huge = (2 << 20) + (2 << 30);
        assert_eq!(KeptBytes(sum).split(), (folios.iter().sum::<u64>(), huge));
        assert_eq!(KeptBytes::of_folio(1 << 20).split(), (1 << 20, 0));
    }
}
