use pintrace_common::scan::{MAPPING_ANON, MAPPING_FILE};

use super::*;

fn small(pfn: u64, refcount: u32, mapcount: u32) -> PinnedFolio {
    PinnedFolio {
        pfn,
        pins: refcount / 1024,
        refcount,
        mapcount,
        order: 0,
        mapping: MAPPING_ANON,
        uptodate: 1,
        exclusive: 0,
    }
}

fn folios(found: &[PinnedFolio]) -> Folios {
    let mut folios = Folios::default();
    for folio in found {
        folios.add(folio, |_| false);
    }
    folios
}

#[test]
fn equal_adjoining_folios_are_one_run() {
    let folios = folios(&[
        small(8, 1025, 1),
        small(9, 1025, 1),
        small(10, 2049, 1),
        small(12, 2049, 1),
    ]);
    let shape: Vec<_> = folios
        .runs()
        .iter()
        .map(|run| (run.pfn, run.folios, run.pins))
        .collect();
    assert_eq!(shape, [(8, 2, 1), (10, 1, 2), (12, 1, 2)]);
    assert_eq!(folios.find(9, 0), Some(0));
    assert_eq!(folios.find(12, 0), Some(2));
    assert_eq!((folios.find(11, 0), folios.find(7, 2)), (None, None));
}

#[test]
fn a_transparent_huge_page_that_adjoins_a_hugetlb_page_is_not_hugetlb() {
    let huge = |pfn| PinnedFolio {
        order: 9,
        pins: 512,
        ..small(pfn, 513, 0)
    };
    let mut folios = Folios::default();
    for pfn in [512, 1024, 1536] {
        folios.add(&huge(pfn), |pfn| pfn == 1024);
    }
    let kinds: Vec<_> = folios
        .runs()
        .iter()
        .map(|run| (run.pfn, run.folios, run.kind == MemoryKind::Hugetlb))
        .collect();
    assert_eq!(kinds, [(512, 1, false), (1024, 1, true), (1536, 1, false)]);
}

#[test]
fn a_page_with_1499_maps_and_one_more_reference_is_not_pinned() {
    let folios = folios(&[small(8, 1500, 1499)]);
    assert!(folios.is_empty());
    assert_eq!(
        (folios.implausible_count, folios.implausible[0].why),
        (1, NotPinned::Mapped)
    );
}

#[test]
fn a_pinned_page_with_1499_maps_is_pinned() {
    let folios = folios(&[small(8, 1499 + 1024, 1499)]);
    assert_eq!(folios.runs()[0].pins, 1);
}

#[test]
fn a_network_fragment_is_a_page_of_the_kernel() {
    let fragment = PinnedFolio {
        mapping: 0,
        uptodate: 0,
        ..small(8, 32769, 0)
    };
    assert_eq!(folios(&[fragment]).implausible[0].why, NotPinned::Kernel);
    // A page of a truncated file has no mapping either, but is up to date.
    let truncated = PinnedFolio {
        uptodate: 1,
        ..fragment
    };
    assert_eq!(folios(&[truncated]).runs()[0].kind, MemoryKind::Other);
}

#[test]
fn a_page_type_is_not_counted_as_maps() {
    let page = PinnedFolio {
        mapping: MAPPING_FILE,
        ..small(8, 1024, 0xf000_0000)
    };
    assert_eq!(folios(&[page]).runs()[0].pins, 1);
}
