//! Rows by pin, by holder and by call site.

use super::*;
use crate::field::Value;
use crate::views::holders::{Holder, HolderRow};
use crate::views::{call_sites, holders, pin_list};
use pintrace_events::Evidence;

fn texts<T: 'static>(row: &T, columns: &[Field<T>], ids: &[&str]) -> Vec<String> {
    let column = |id: &str| columns.iter().find(|column| column.id == id).unwrap();
    let texts = ids
        .iter()
        .map(|id| (column(id).value)(row).at(Nanos(1000)).text());
    texts.collect()
}

fn of_holder(row: &HolderRow) -> Vec<String> {
    let ids = [
        "holder",
        "descriptor",
        "pid",
        "processes",
        "extents",
        "pages_held",
        "oldest",
        "subsystem",
    ];
    texts(row, holder::COLUMNS, &ids)
}

/// An extent that was pinned on a descriptor.
fn on_descriptor(descriptor: u32, extent: OpenExtent) -> OpenExtent {
    OpenExtent {
        descriptor: Some(descriptor),
        ..extent
    }
}

#[test]
fn an_open_file_is_one_holder_for_all_processes() {
    let snapshot = snapshot(vec![
        process(
            1,
            "",
            vec![
                on_descriptor(5, extent(8, 40, 10, Subsystem::IoUring)),
                on_descriptor(5, extent(4, 40, 20, Subsystem::IoUring)),
            ],
        ),
        process(
            2,
            "",
            vec![
                on_descriptor(7, extent(3, 40, 30, Subsystem::IoUring)),
                extent(1, 41, 40, Subsystem::AfXdp),
            ],
        ),
    ]);
    let rows = holders::of(&snapshot);
    let ring = ["io_uring", "5, 7", "1", "2", "3", "15", "990ns", "io_uring"];
    let socket = ["AF_XDP socket", "-", "2", "1", "1", "1", "960ns", "af_xdp"];
    assert_eq!(rows.iter().map(of_holder).collect::<Vec<_>>(), [ring, socket]);
    assert_eq!(
        (rows[0].file(), rows[0].subsystem()),
        (Some(FileId(40)), Some(Subsystem::IoUring))
    );
}

#[test]
fn older_pins_of_an_open_file_are_in_the_row_of_the_file() {
    let found = HeldAccount {
        from_scan: true,
        evidence: Some(Evidence::KernelTable),
        file: FileId(40),
        descriptor: Some(5),
        since: None,
        ..account(6, false, Subsystem::IoUring)
    };
    let mut older = process(1, "", Vec::new());
    older.held_accounts = vec![found.clone()];
    let mut both = process(
        1,
        "",
        vec![on_descriptor(7, extent(8, 40, 10, Subsystem::IoUring))],
    );
    both.held_accounts = vec![found];
    for (process, descriptor, pages, oldest) in [(older, "5", "6", "-"), (both, "7", "14", "990ns")] {
        let rows = holders::of(&snapshot(vec![process]));
        let ids = ["holder", "descriptor", "pages_held", "oldest", "evidence"];
        let shown: Vec<_> = rows.iter().map(|row| texts(row, holder::COLUMNS, &ids)).collect();
        assert_eq!(shown, [["io_uring", descriptor, pages, oldest, "kernel table"]]);
    }
}

#[test]
fn pins_of_a_released_file_are_apart_from_those_of_a_file_at_the_same_address() {
    let released = OpenExtent {
        file_released: true,
        ..on_descriptor(9, extent(8, 40, 10, Subsystem::Vfio))
    };
    let open = on_descriptor(5, extent(4, 40, 20, Subsystem::IoUring));
    let snapshot = snapshot(vec![process(1, "", vec![released, open])]);
    let rows = holders::of(&snapshot);
    let ids = ["holder", "descriptor", "pin_state"];
    let shown: Vec<_> = rows.iter().map(|row| texts(row, holder::COLUMNS, &ids)).collect();
    assert_eq!(
        shown,
        [["VFIO container", "9", "being released"], ["io_uring", "5", "-"]]
    );
    let pins = pin_list::of(&snapshot);
    let shown = texts(
        &pins[0],
        pin::COLUMNS,
        &["pid", "descriptor", "pin_state", "pin_age"],
    );
    assert_eq!(shown, ["1", "9", "being released", "990ns"]);
}

#[test]
fn a_holder_has_the_latest_known_descriptor_of_each_process() {
    let at = |since| extent(1, 40, since, Subsystem::IoUring);
    let extents = vec![on_descriptor(5, at(10)), on_descriptor(7, at(20)), at(30)];
    let snapshot = snapshot(vec![process(1, "", extents), process(2, "", vec![at(10)])]);
    let rows = holders::of(&snapshot);
    let known = rows[0].processes.iter().map(|one| one.descriptor);
    assert_eq!((rows.len(), known.collect()), (1, vec![Some(7), None]));
    let pins = pin_list::of(&snapshot);
    let shown = pins
        .iter()
        .flat_map(|pin| texts(pin, pin::COLUMNS, &["descriptor"]));
    assert_eq!(shown.collect::<Vec<_>>(), ["5", "7", "-", "-"]);
}

#[test]
fn pins_without_a_file_are_held_by_their_process() {
    let scanned = |pages, evidence| HeldAccount {
        from_scan: true,
        evidence,
        since: None,
        ..account(pages, false, Subsystem::Udmabuf)
    };
    let mut holder = process(1, "", vec![extent(9, 0, 10, Subsystem::Rdma)]);
    holder.held_accounts = vec![
        account(2, true, Subsystem::Rdma),
        account(100, false, Subsystem::DirectIo),
        scanned(6, Some(Evidence::KernelTable)),
        scanned(5, Some(Evidence::PageTables)),
    ];
    let mut nobody = process(0, "", Vec::new());
    nobody.held_accounts = vec![scanned(1, None)];
    let rows = holders::of(&snapshot(vec![nobody, holder]));
    let ids = [
        "holder",
        "pid",
        "extents",
        "pages_held",
        "oldest",
        "evidence",
        "subsystem",
    ];
    let shown: Vec<_> = rows.iter().map(|row| texts(row, holder::COLUMNS, &ids)).collect();
    let expected = [
        ["process", "1", "2", "11", "999ns", "-", "rdma"],
        ["udmabuf device", "1", "-", "6", "-", "kernel table", "udmabuf"],
        ["process", "1", "-", "5", "-", "page tables", "udmabuf"],
        ["unknown", "0", "-", "1", "-", "-", "udmabuf"],
    ];
    assert_eq!(shown, expected);
    assert!(matches!(
        rows[1].holder,
        Holder::Scan(Some(Evidence::KernelTable))
    ));
}

#[test]
fn every_subsystem_has_a_kind_of_file() {
    for &subsystem in Subsystem::ALL {
        assert!(!holders::file_kind(subsystem).is_empty(), "{subsystem}");
    }
}

#[test]
fn pins_of_one_stack_are_one_call_site() {
    let stack = |frames: &[&str]| {
        frames
            .iter()
            .map(|frame| (*frame).to_owned())
            .collect::<Arc<[String]>>()
    };
    let at = |stack: &Arc<[String]>, pages| OpenExtent {
        caller: "io_pin_pages".into(),
        stack: Arc::clone(stack),
        ..extent(pages, 0, 10, Subsystem::IoUring)
    };
    // The texts of equal stacks need not be shared.
    let (one, same, other) = (stack(&["a", "b"]), stack(&["a", "b"]), stack(&["a", "c"]));
    let mut second = process(2, "", vec![at(&same, 1), at(&one, 1), at(&other, 4)]);
    second.held_accounts = vec![HeldAccount {
        caller: "io_pin_pages".into(),
        stack: Arc::clone(&one),
        ..account(20, false, Subsystem::IoUring)
    }];
    let rows = call_sites::of(&snapshot(vec![
        process(1, "", vec![at(&one, 2), at(&same, 2)]),
        second,
    ]));
    let ids = ["pages_held", "extents", "processes", "oldest", "caller"];
    let shown: Vec<_> = rows
        .iter()
        .map(|row| texts(row, call_site::COLUMNS, &ids))
        .collect();
    let first = ["26", "5", "2", "999ns", "io_pin_pages"];
    assert_eq!(shown, [first, ["4", "1", "1", "990ns", "io_pin_pages"]]);
    assert_eq!(&*rows[0].stack, ["a", "b"]);
}

#[test]
fn without_a_stack_the_caller_is_the_call_site() {
    let from = |caller: &str| OpenExtent {
        caller: caller.into(),
        ..extent(1, 0, 10, Subsystem::Other)
    };
    let extents = vec![from("one"), from("one"), from("two"), from("")];
    let rows = call_sites::of(&snapshot(vec![process(1, "", extents)]));
    let pages: Vec<_> = rows
        .iter()
        .map(|row| (&*row.caller, row.sums.pages_held))
        .collect();
    assert_eq!(pages, [("one", 2), ("two", 1), ("", 1)]);
    let caller = call_site::column("caller").unwrap();
    assert_eq!((caller.value)(&rows[2]), Value::Absent);
}
