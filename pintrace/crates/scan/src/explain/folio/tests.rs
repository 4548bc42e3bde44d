use pintrace_common::scan::ScanFacts;

use super::*;
use crate::explain::References;
use crate::explain::flags;
use crate::kernel_memory::tests::FakeMemory;
use crate::tables::tests::layout as layout_with;
use pintrace_kernel::table_layout::BufferTable;

const VMEMMAP: u64 = 0xffff_ea00_0000_0000;
const HEAD: u64 = 6;
const UPTODATE: u64 = 3;

/// The layout of struct page in 6.18: `_large_mapcount` is beside `_pincount` in the second page.
fn layout() -> Layout {
    let mut layout = layout_with(BufferTable::Array {
        user_bufs: 0,
        nr_user_bufs: 0,
    });
    layout.facts = ScanFacts {
        page_flags: 0,
        page_mapping: 24,
        page_mapcount: 48,
        page_refcount: 52,
        pg_head: u32::try_from(HEAD).unwrap(),
        folio_nr_pages: 64 + 40,
        folio_pincount: 64 + 28,
        pincount_order: 1,
        pin_bias: 1024,
        pg_uptodate: u32::try_from(UPTODATE).unwrap(),
        ..ScanFacts::default()
    };
    layout
}

fn address(pfn: u64) -> u64 {
    VMEMMAP + pfn * 64
}

/// Sets a struct page: flags, mapping, `_mapcount` plus one, `_refcount`.
fn set(memory: &mut FakeMemory, pfn: u64, flags: u64, mapping: u64, maps: u32, references: u32) {
    let counts = u64::from(maps.wrapping_sub(1)) | u64::from(references) << 32;
    memory.set(address(pfn), &[flags, 0, 0, mapping, 0, 0, counts, 0]);
}

/// Makes a folio of 2^order pages with `pins` pins, mapped `maps` times.
fn large(pfn: u64, order: u32, mapping: u64, [maps, pins, references]: [u32; 3]) -> FakeMemory {
    let mut memory = FakeMemory::default();
    for page in 0..1 << order {
        set(&mut memory, pfn + page, 0, 0, 0, 0);
    }
    set(&mut memory, pfn, 1 << HEAD, mapping, 0, references);
    let second = address(pfn + 1);
    // `_large_mapcount` at byte 24, `_pincount` at 28, the number of pages at 40.
    let counts = u64::from(maps.wrapping_sub(1)) | u64::from(pins) << 32;
    memory.set(second + 24, &[counts, 0, 1 << order]);
    memory
}

fn read(memory: &FakeMemory, pfn: u64) -> FolioRead {
    super::read(memory, &layout(), VMEMMAP, pfn).unwrap()
}

fn parts(memory: &FakeMemory, folio: &FolioRead, pins: u32, flags: u64) -> References {
    let sum = Some(LargeMaps::Sum(64 + 24));
    let maps = folio.maps(memory, &layout(), sum, VMEMMAP, flags & flags::HUGE != 0);
    References::of(folio, pins, maps, flags)
}

#[test]
fn a_pinned_small_page_is_taken_apart() {
    let mut memory = FakeMemory::default();
    set(&mut memory, 9, 1 << UPTODATE, 0x1001, 2, 2 * 1024 + 2 + 3);
    // Struct pages around the page, as everywhere in memory.
    for pfn in 0..9 {
        set(&mut memory, pfn, 0, 0, 0, 1);
    }
    for pfn in 10..16 {
        set(&mut memory, pfn, 0, 0, 0, 1);
    }
    let folio = read(&memory, 9);
    assert_eq!(
        folio.place,
        FolioPlace {
            pfn: 9,
            order: 0,
            page: 0
        }
    );
    assert_eq!(folio.found.mapping, MAPPING_ANON);
    let parts = parts(&memory, &folio, 2, 0);
    assert_eq!(
        (parts.of_pins, parts.mappings, parts.unexplained),
        (2048, Some(2), Some(3))
    );
}

#[test]
fn a_tail_page_leads_to_its_folio() {
    let memory = large(512, 9, 0x1001, [1, 64, 65]);
    let folio = read(&memory, 517);
    assert_eq!(
        folio.place,
        FolioPlace {
            pfn: 512,
            order: 9,
            page: 5
        }
    );
    let parts = parts(&memory, &folio, folio.found.pins, 0);
    assert_eq!((parts.total, parts.pins, parts.of_pins), (65, 64, 64));
    assert_eq!((parts.mappings, parts.unexplained), (Some(1), Some(0)));
}

#[test]
fn a_page_beside_a_folio_is_not_part_of_the_folio() {
    let mut memory = large(512, 2, 0x1001, [1, 0, 1]);
    for pfn in 516..520 {
        set(&mut memory, pfn, 0, 0, 0, 1);
    }
    assert_eq!(read(&memory, 515).place.pfn, 512);
    assert_eq!(
        read(&memory, 516).place,
        FolioPlace {
            pfn: 516,
            order: 0,
            page: 0
        }
    );
}

#[test]
fn a_page_cache_and_private_data_hold_references() {
    // 4 pages of the page cache, 1 reference of the file system, 3 mappings, 2 more.
    let memory = large(512, 2, 0x1000, [3, 0, 10]);
    let parts = parts(&memory, &read(&memory, 513), 0, flags::PRIVATE);
    assert_eq!(
        (parts.page_cache, parts.private_data, parts.unexplained),
        (4, 1, Some(2))
    );
}

#[test]
fn a_page_cache_holds_one_or_all_references_of_a_hugetlb_page() {
    for (references, page_cache) in [(1 + 1, 1), (512 + 1, 512)] {
        let memory = large(512, 9, 0x1000, [1, 0, references]);
        let parts = parts(&memory, &read(&memory, 512), 0, flags::HUGE);
        assert_eq!((parts.page_cache, parts.unexplained), (page_cache, Some(0)));
    }
}

#[test]
fn a_swap_cache_holds_references_of_anonymous_memory() {
    let memory = large(512, 2, 0x1001, [0, 0, 4]);
    let parts = parts(&memory, &read(&memory, 512), 0, flags::SWAPCACHE);
    assert_eq!((parts.swap_cache, parts.unexplained), (4, Some(0)));
}

/// Map counts before 6.2.
#[test]
fn maps_of_the_whole_folio_and_of_its_pages_are_added_up() {
    let maps = |mapping, double_map: bool, pages: u32| {
        let mut memory = large(512, 2, mapping, [1, 0, 9]);
        for pfn in 512..516 {
            memory
                .0
                .insert(address(pfn) + 48, u64::from(pages.wrapping_sub(1)) | 9 << 32);
        }
        memory.0.insert(address(513), u64::from(double_map) << 9);
        let parts = LargeMaps::Parts {
            entire: 64 + 24,
            file_pages_count_all: true,
            double_map: Some(9),
        };
        read(&memory, 512).maps(&memory, &layout(), Some(parts), VMEMMAP, false)
    };
    // Anonymous, mapped as a whole once: no page counts.
    assert_eq!(maps(0x1001, false, 0), Some(1));
    // Mapped as a whole by one process, and page by page by a second.
    assert_eq!(maps(0x1001, true, 2), Some(1 + 4));
    // Each page of a file counts the mapping of the whole too.
    assert_eq!(maps(0x1000, false, 1), Some(1));
}

#[test]
fn a_frame_without_struct_page_has_no_folio() {
    let mut memory = FakeMemory::default();
    assert!(super::read(&memory, &layout(), VMEMMAP, 7).is_none());
    set(&mut memory, 7, u64::MAX, 0, 0, 0);
    assert!(super::read(&memory, &layout(), VMEMMAP, 7).is_none());
}

#[test]
fn the_mark_of_any_page_makes_a_folio_exclusive() {
    const BIT: u32 = 17;
    let mark = |memory: &FakeMemory, order| super::mark(memory, &layout(), VMEMMAP, 512, order, BIT);
    let mut memory = large(512, 2, 0x1001, [1, 1, 2]);
    assert_eq!(mark(&memory, 2), Mark::Missing);
    memory.0.insert(address(515), 1 << BIT);
    assert_eq!(mark(&memory, 2), Mark::Exclusive);
    // The folio was split meanwhile, or is no longer pinned, or has become memory of a file.
    assert_eq!(mark(&large(512, 2, 0x1001, [1, 1, 2]), 0), Mark::Exclusive);
    assert_eq!(mark(&large(512, 2, 0x1001, [1, 0, 2]), 2), Mark::Exclusive);
    assert_eq!(mark(&large(512, 2, 0x1000, [1, 1, 2]), 2), Mark::Exclusive);
}

#[test]
fn a_small_pinned_page_without_the_mark_violates() {
    let mut memory = FakeMemory::default();
    set(&mut memory, 9, 1 << UPTODATE, 0x1001, 1, 1025);
    assert_eq!(super::mark(&memory, &layout(), VMEMMAP, 9, 0, 17), Mark::Missing);
    set(&mut memory, 9, 1 << 17, 0x1001, 1, 1025);
    assert_eq!(
        super::mark(&memory, &layout(), VMEMMAP, 9, 0, 17),
        Mark::Exclusive
    );
}
