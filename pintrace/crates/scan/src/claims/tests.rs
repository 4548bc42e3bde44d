#![expect(
    clippy::single_range_in_vec_init,
    reason = "a table has ranges of frames, often one"
)]

use pintrace_common::scan::{MAPPING_ANON, PinnedFolio};

use super::*;
use crate::join::sum;

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
    assert_eq!(shape(&divided.holders[0].runs), [(5, 1, 2)]);
    assert!(divided.rest.is_empty());
}

#[test]
fn many_buffers_in_one_large_folio_keep_its_bytes_once() {
    let mut folios = Folios::default();
    folio(&mut folios, 512, 9, 64);
    // One file with 64 registered buffers of a page each.
    let buffers = (0..64).map(|index| table(index + 1, &[512 + index * 4..513 + index * 4]));
    let tables = buffers.collect();
    let divided = divide(&folios, vec![FileTables { file: 0, tables }]);
    let amount = sum(&divided.holders[0].runs);
    assert_eq!((amount.pages, amount.folios, amount.bytes), (64, 1, 2 << 20));
}

#[test]
fn a_table_that_comes_back_to_a_large_folio_keeps_its_bytes_once() {
    let mut folios = Folios::default();
    folio(&mut folios, 512, 9, 32);
    folio(&mut folios, 1024, 9, 32);
    let back = table(1, &[1000..1016, 1024..1040, 1100..1116]);
    let divided = divide(&folios, files(&[(0, &back)]));
    let amount = sum(&divided.holders[0].runs);
    assert_eq!((amount.pages, amount.folios, amount.bytes), (48, 2, 4 << 20));
}

#[test]
fn two_files_on_one_large_folio_keep_its_bytes_each() {
    let mut folios = Folios::default();
    folio(&mut folios, 512, 9, 2);
    let (first, second) = (table(1, &[512..513]), table(2, &[600..601]));
    let divided = divide(&folios, files(&[(0, &first), (1, &second)]));
    let bytes: Vec<_> = divided
        .holders
        .iter()
        .map(|holder| sum(&holder.runs).bytes)
        .collect();
    assert_eq!(bytes, [2 << 20, 2 << 20]);
}

#[test]
fn tables_of_one_file_that_overlap_add_up_their_pins() {
    let mut folios = Folios::default();
    // The pins of two runs differ, so a claim ends where the first run ends.
    for pfn in 10..20 {
        folio(&mut folios, pfn, 0, 2);
    }
    for pfn in 20..30 {
        folio(&mut folios, pfn, 0, 1);
    }
    let tables = vec![table(1, &[10..16]), table(2, &[12..22]), table(3, &[22..24])];
    let divided = divide(&folios, vec![FileTables { file: 0, tables }]);
    assert_eq!(
        shape(&divided.holders[0].runs),
        [(10, 2, 1), (12, 4, 2), (16, 4, 1), (20, 4, 1)]
    );
    assert_eq!(shape(divided.rest.runs()), [(10, 2, 1), (16, 4, 1), (24, 6, 1)]);
}
