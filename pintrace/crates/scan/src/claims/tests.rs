#![expect(
    clippy::single_range_in_vec_init,
    reason = "a table has ranges of frames, often one"
)]

use pintrace_common::scan::{MAPPING_ANON, PinnedFolio};

use super::*;

/// Adds a folio of 2^order pages at a frame.
fn folio(folios: &mut Folios, pfn: u64, order: u8, pins: u32) {
    let found = PinnedFolio {
        pfn,
        pins,
        refcount: pins * 1024 + 1,
        mapcount: 0,
        order,
        mapping: MAPPING_ANON,
        uptodate: 1,
        exclusive: 0,
    };
    folios.add(&found, |_| false);
}

/// A table with the frames of these ranges.
fn table(object: u64, ranges: &[std::ops::Range<u64>]) -> PinTable {
    let pages = ranges.iter().cloned().flatten().map(|pfn| 64 + pfn * 64);
    PinTable {
        purpose: "",
        object,
        addresses: None,
        frames: Frames::of_pages(64, pages),
    }
}

fn files(tables: &[(usize, &PinTable)]) -> Vec<FileTables> {
    let file = |(file, table): &(usize, &PinTable)| FileTables {
        file: *file,
        tables: vec![(*table).clone()],
    };
    tables.iter().map(file).collect()
}

/// Returns runs as first frame, folios and pins.
fn shape(runs: &[FolioRun]) -> Vec<(u64, u64, u32)> {
    runs.iter().map(|run| (run.pfn, run.folios, run.pins)).collect()
}

#[test]
fn pins_that_a_table_names_belong_to_its_file() {
    let mut folios = Folios::default();
    for pfn in 10..20 {
        folio(&mut folios, pfn, 0, 1);
    }
    let divided = divide(&folios, files(&[(3, &table(1, &[12..15, 100..104]))]));
    assert_eq!(divided.holders.len(), 1);
    assert_eq!(divided.holders[0].files, [3]);
    assert_eq!(shape(&divided.holders[0].runs), [(12, 3, 1)]);
    assert_eq!(shape(divided.rest.runs()), [(10, 2, 1), (15, 5, 1)]);
    assert_eq!(divided.contradicted, 0);
}

#[test]
fn two_tables_divide_the_pins_of_one_large_folio() {
    let mut folios = Folios::default();
    folio(&mut folios, 512, 9, 70);
    let (first, second) = (table(1, &[512..576]), table(2, &[600..602, 604..605]));
    let divided = divide(&folios, files(&[(0, &first), (1, &second)]));
    let shapes: Vec<_> = divided.holders.iter().map(|holder| shape(&holder.runs)).collect();
    assert_eq!(shapes, [[(512, 1, 64)], [(512, 1, 3)]]);
    assert_eq!(shape(divided.rest.runs()), [(512, 1, 3)]);
}

#[test]
fn a_table_that_two_files_share_counts_once_for_both() {
    let mut folios = Folios::default();
    folio(&mut folios, 5, 0, 1);
    let shared = table(1, &[5..6]);
    let divided = divide(&folios, files(&[(0, &shared), (4, &shared)]));
    assert_eq!(divided.holders.len(), 1);
    assert_eq!(divided.holders[0].files, [0, 4]);
    assert!(divided.rest.is_empty());
}

#[test]
fn tables_that_claim_more_than_a_folio_has_are_not_believed_there() {
    let mut folios = Folios::default();
    for pfn in [5, 6] {
        folio(&mut folios, pfn, 0, 1);
    }
    let (first, second) = (table(1, &[5..7]), table(2, &[6..7]));
    let divided = divide(&folios, files(&[(0, &first), (1, &second)]));
    assert_eq!(divided.holders.len(), 1);
    assert_eq!(shape(&divided.holders[0].runs), [(5, 1, 1)]);
    assert_eq!(
        (shape(divided.rest.runs()), divided.contradicted),
        (vec![(6, 1, 1)], 1)
    );
}

#[test]
fn a_page_that_a_table_names_twice_needs_two_pins() {
    let mut folios = Folios::default();
    folio(&mut folios, 5, 0, 2);
    let twice = table(1, &[5..6, 5..6]);
    let divided = divide(&folios, files(&[(0, &twice)]));
    assert_eq!(shape(&divided.holders[0].runs), [(5, 1, 1), (5, 1, 1)]);
    assert!(divided.rest.is_empty());
}
