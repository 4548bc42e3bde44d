use pintrace_common::scan::{EXCLUSIVE_NO, EXCLUSIVE_YES, MAPPING_ANON, PinnedFolio};
use pintrace_events::ProcessSeen;
use pintrace_events::units::Pid;

use super::*;
use crate::join::Amount;
use crate::pinned_folios::Folios;
use crate::scan_result::{PinHolder, ScanProcess};

/// Returns a process whose pins have this evidence, on folios with the marks that the scan found at their heads.
fn process(pid: u32, evidence: Evidence, found: &[(u64, u8, u8)]) -> ScanProcess {
    let mut folios = Folios::default();
    for &(pfn, order, exclusive) in found {
        let found = PinnedFolio {
            pfn,
            pins: 1,
            refcount: 1025,
            mapcount: 1,
            order,
            mapping: MAPPING_ANON,
            uptodate: 1,
            exclusive,
        };
        folios.add(&found, |_| false);
    }
    ScanProcess {
        process: ProcessSeen {
            pid: Pid(pid),
            ..ProcessSeen::default()
        },
        holders: vec![PinHolder {
            evidence,
            subsystem: "io_uring",
            amount: Amount::default(),
            runs: folios.runs().to_vec(),
            files: Vec::new(),
            private_copies: Vec::new(),
            openers: Vec::new(),
            addresses: Vec::new(),
        }],
        ..ScanProcess::default()
    }
}

fn result(processes: Vec<ScanProcess>) -> ScanResult {
    ScanResult {
        processes,
        ..ScanResult::default()
    }
}

#[test]
fn a_pinned_page_without_the_mark_is_counted_with_its_holder() {
    let marks = [(8, 0, EXCLUSIVE_YES), (9, 0, EXCLUSIVE_NO), (10, 0, EXCLUSIVE_NO)];
    let outcome = audit(
        &result(vec![process(7, Evidence::KernelTable, &marks)]),
        &mut |_, _| Mark::Missing,
    );
    assert_eq!((outcome.checked, outcome.not_exclusive), (3, 2));
    assert_eq!(outcome.holders, [NotExclusiveHolder { pid: 7, folios: 2 }]);
}

#[test]
fn a_page_that_two_processes_hold_counts_once() {
    let marks = [(9, 0, EXCLUSIVE_NO)];
    let both = [7, 8].map(|pid| process(pid, Evidence::KernelTable, &marks));
    let outcome = audit(&result(both.to_vec()), &mut |_, _| Mark::Missing);
    assert_eq!(
        (outcome.checked, outcome.not_exclusive, outcome.holders.len()),
        (1, 1, 2)
    );
}

#[test]
fn exclusive_pages_and_files_are_not_counted() {
    let marks = [(8, 0, EXCLUSIVE_YES), (9, 0, 0)];
    let outcome = audit(
        &result(vec![process(7, Evidence::KernelTable, &marks)]),
        &mut |_, _| unreachable!("no folio without the mark"),
    );
    assert_eq!(
        outcome,
        Exclusivity {
            checked: 1,
            ..Exclusivity::default()
        }
    );
}

#[test]
fn pins_that_no_table_names_are_not_checked() {
    let marks = [(9, 0, EXCLUSIVE_NO)];
    let outcome = audit(
        &result(vec![process(7, Evidence::PageTables, &marks)]),
        &mut |_, _| Mark::Missing,
    );
    assert_eq!(outcome, Exclusivity::default());
}

/// A transparent huge page whose head is not mapped has the mark on another page.
#[test]
fn a_mark_at_the_second_look_is_no_violation() {
    let marks = [(512, 9, EXCLUSIVE_NO)];
    let mut looks = Vec::new();
    let outcome = audit(
        &result(vec![process(7, Evidence::KernelTable, &marks)]),
        &mut |pfn, order| {
            looks.push((pfn, order));
            Mark::Exclusive
        },
    );
    assert_eq!((outcome.not_exclusive, outcome.holders.len()), (0, 0));
    assert_eq!(looks, [(512, 9)]);
}
