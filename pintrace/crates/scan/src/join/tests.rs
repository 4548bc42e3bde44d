use pintrace_common::scan::{MAPPING_ANON, PinnedFolio};

use super::*;

fn folios() -> Folios {
    let mut folios = Folios::default();
    for (pfn, order, pins) in [(8, 0, 1), (9, 0, 1), (16, 2, 3)] {
        let found = PinnedFolio {
            pfn,
            pins,
            refcount: pins * 1024 + 1,
            mapcount: 1,
            order,
            mapping: MAPPING_ANON,
            uptodate: 1,
            exclusive: 0,
        };
        folios.add(&found, |_| false);
    }
    folios
}

#[test]
fn folios_are_counted_for_the_process_that_alone_maps_them() {
    let folios = folios();
    let mut join = Join::new(&folios);
    join.begin_process(1);
    join.add_page(0x1000, 8);
    join.add_page(0x2000, 100);
    join.begin_process(2);
    join.add_page(0x1000, 17);
    join.add_page(0x2000, 18);
    let joined = join.finish();
    let owned: Vec<_> = joined
        .owned
        .iter()
        .map(|(pid, run)| (*pid, run.pfn, run.folios))
        .collect();
    assert_eq!(owned, [(1, 8, 1), (2, 16, 1)]);
    let processes = joined.processes;
    assert_eq!((processes[0].pid, processes[0].alone.pages), (1, 1));
    // The process maps two pages of one folio of four pages: the folio counts once, with all its bytes.
    assert_eq!(
        (
            processes[1].pid,
            processes[1].alone.pages,
            processes[1].alone.bytes
        ),
        (2, 3, 16 << 10)
    );
    assert_eq!(processes[1].ranges.len(), 1);
    let unmapped = joined.unmapped;
    assert_eq!((unmapped.len(), unmapped[0].pfn, unmapped[0].folios), (1, 9, 1));
}

#[test]
fn a_folio_that_several_processes_map_is_counted_for_none() {
    let folios = folios();
    let mut join = Join::new(&folios);
    for pid in [1, 2, 3] {
        join.begin_process(pid);
        join.add_page(0x1000, 8);
    }
    let joined = join.finish();
    let pages = |process: &MappedFolios| (process.alone.pages, process.shared.pages);
    let pages: Vec<_> = joined.processes.iter().map(pages).collect();
    assert_eq!(pages, [(0, 1), (0, 1), (0, 1)]);
    assert_eq!((joined.owned, sum(&joined.shared).pages), (vec![], 1));
    assert_eq!(sum(&joined.unmapped).pages, 1 + 3);
}

#[test]
fn a_process_without_pinned_pages_is_left_out() {
    let folios = folios();
    let mut join = Join::new(&folios);
    join.begin_process(1);
    join.add_page(0x1000, 1 << 60);
    assert_eq!(join.finish().processes, []);
}
