//! The sums of all views over arbitrary streams.

use proptest::prelude::*;

use pintrace_testing::arbitrary;

use super::snapshot;
use crate::snapshot::{HeldAccount, OpenExtent, Process, Snapshot};
use crate::views::holders::Holder;
use crate::views::{call_sites, cgroups, difference, ended, folded_findings, holders, pin_list, system};

fn total(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

fn extents(snapshot: &Snapshot) -> impl Iterator<Item = &OpenExtent> {
    let processes = snapshot.processes.iter();
    processes.flat_map(|process| process.open_extents.iter())
}

fn accounts(snapshot: &Snapshot) -> impl Iterator<Item = &HeldAccount> {
    let processes = snapshot.processes.iter();
    processes.flat_map(|process| process.held_accounts.iter())
}

fn over_processes(snapshot: &Snapshot, count: fn(&Process) -> u64) -> u64 {
    total(snapshot.processes.iter().map(|process| count(process)))
}

/// Each check reads the same stream, because a stream takes longer to make than all checks.
type Checked = Result<(), TestCaseError>;

proptest! {
    #[test]
    fn the_rows_of_each_view_have_the_sums_of_the_snapshot(
        events in arbitrary::long_stream(),
        earlier in 0..120_usize,
    ) {
        let before = snapshot(&events[..earlier.min(events.len())]);
        let snapshot = snapshot(&events);
        the_roots_of_the_cgroups_have_the_sums_of_the_processes(&snapshot)?;
        each_cgroup_follows_its_parent_with_the_cgroups_inside(&snapshot)?;
        pins_holders_and_call_sites_have_the_sums_of_extents_and_accounts(&snapshot)?;
        holders_have_the_latest_known_descriptor_of_each_process(&snapshot)?;
        accounts_without_extents_have_the_pages_of_the_scans(&snapshot)?;
        each_finding_is_in_one_folded_finding(&snapshot)?;
        each_process_is_shown_or_ended(&snapshot)?;
        a_difference_has_each_process_once(&snapshot, &before)?;
        the_system_view_accepts_any_stream(&snapshot)?;
    }
}

fn the_roots_of_the_cgroups_have_the_sums_of_the_processes(snapshot: &Snapshot) -> Checked {
    let rows = cgroups::of(snapshot);
    let roots = || {
        rows.iter()
            .filter(|row| row.parent.is_none())
            .map(|row| row.subtree)
    };
    let all = |count: fn(&cgroups::CgroupSums) -> u64| total(roots().map(|sums| count(&sums)));
    prop_assert_eq!(
        all(|sums| sums.pages_held),
        over_processes(snapshot, |one| one.pages_held)
    );
    prop_assert_eq!(
        all(|sums| sums.bytes_held),
        over_processes(snapshot, |one| one.bytes_held)
    );
    let longterm = over_processes(snapshot, |one| one.longterm_pages_held);
    prop_assert_eq!(all(|sums| sums.longterm_pages_held), longterm);
    let holding = over_processes(snapshot, |one| u64::from(one.pages_held > 0));
    prop_assert_eq!(all(|sums| sums.processes), holding);
    prop_assert_eq!(all(|sums| sums.findings), snapshot.findings.len() as u64);
    let oldest = snapshot.processes.iter().filter(|one| !ended::is_over(one));
    let oldest = oldest.filter_map(|one| one.oldest_since).min();
    prop_assert!(roots().filter_map(|sums| sums.oldest_since).min() <= oldest || oldest.is_none());
    Ok(())
}

fn each_cgroup_follows_its_parent_with_the_cgroups_inside(snapshot: &Snapshot) -> Checked {
    let rows = cgroups::of(snapshot);
    for (index, row) in rows.iter().enumerate() {
        let inside = &rows[index + 1..=index + row.descendants];
        prop_assert!(inside.iter().all(|other| other.depth > row.depth));
        let children = || inside.iter().filter(|other| other.parent == Some(index));
        let pages = children().fold(row.own.pages_held, |sum, child| {
            sum.saturating_add(child.subtree.pages_held)
        });
        prop_assert_eq!(row.subtree.pages_held, pages);
        prop_assert!(children().is_sorted_by_key(|child| std::cmp::Reverse(child.subtree.pages_held)));
        prop_assert_eq!(row.parent.map_or(0, |parent| rows[parent].depth + 1), row.depth);
    }
    Ok(())
}

fn pins_holders_and_call_sites_have_the_sums_of_extents_and_accounts(snapshot: &Snapshot) -> Checked {
    let of_extents = total(extents(snapshot).map(|extent| extent.pages_held));
    let pins = pin_list::of(snapshot);
    prop_assert_eq!(total(pins.iter().map(|row| row.extent.pages_held)), of_extents);
    prop_assert_eq!(pins.len(), extents(snapshot).count());

    let longterm = accounts(snapshot).filter(|account| account.longterm || account.from_scan);
    let longterm = total(longterm.map(|account| account.pages_held));
    let rows = holders::of(snapshot);
    let pages = total(rows.iter().map(|row| row.sums.pages_held));
    prop_assert_eq!(pages, of_extents.saturating_add(longterm));
    prop_assert!(
        rows.iter()
            .all(|row| !row.processes.is_empty() && !row.kind().is_empty())
    );

    let all = total(accounts(snapshot).map(|account| account.pages_held));
    let rows = call_sites::of(snapshot);
    let pages = total(rows.iter().map(|row| row.sums.pages_held));
    prop_assert_eq!(pages, of_extents.saturating_add(all));
    let seen = accounts(snapshot).filter(|account| !account.from_scan);
    let number = extents(snapshot).count() + seen.count();
    prop_assert_eq!(total(rows.iter().map(|row| row.sums.extents)), number as u64);
    Ok(())
}

fn holders_have_the_latest_known_descriptor_of_each_process(snapshot: &Snapshot) -> Checked {
    for row in holders::of(snapshot) {
        let Holder::File { file, released } = row.holder else {
            continue;
        };
        for one in &row.processes {
            let extents = one.process.open_extents.iter();
            let of_file = extents.filter(|extent| (extent.file, extent.file_released) == (file, released));
            let latest = of_file.filter_map(|extent| extent.descriptor).next_back();
            let mut found = one.process.held_accounts.iter().filter(|account| {
                account.from_scan && (account.file, account.file_released) == (file, released)
            });
            let found = found.find_map(|account| account.descriptor);
            prop_assert_eq!(one.descriptor, latest.or(found));
        }
    }
    Ok(())
}

fn accounts_without_extents_have_the_pages_of_the_scans(snapshot: &Snapshot) -> Checked {
    let scanned = accounts(snapshot).filter(|account| account.from_scan);
    let scanned = total(scanned.map(|account| account.pages_held));
    prop_assert_eq!(scanned, over_processes(snapshot, |one| one.scan_pages_held));
    Ok(())
}

fn each_finding_is_in_one_folded_finding(snapshot: &Snapshot) -> Checked {
    let rows = folded_findings::of(snapshot);
    let mut positions: Vec<_> = rows.iter().flat_map(|row| row.findings.iter().copied()).collect();
    positions.sort_unstable();
    prop_assert!(positions.into_iter().eq(0..snapshot.findings.len()));
    let count = total(rows.iter().map(|row| row.count));
    prop_assert_eq!(
        count,
        total(snapshot.findings.iter().map(|finding| finding.count))
    );
    let worst = |row: &folded_findings::FoldedFinding| {
        row.findings
            .iter()
            .map(|position| snapshot.findings[*position].severity)
            .max()
    };
    prop_assert!(rows.iter().all(|row| worst(row) == Some(row.severity)));
    Ok(())
}

fn each_process_is_shown_or_ended(snapshot: &Snapshot) -> Checked {
    let ended = ended::of(snapshot);
    let shown = || snapshot.processes.iter().filter(|one| !ended::is_over(one));
    let number = shown().count() as u64 + ended.processes;
    prop_assert_eq!(number, snapshot.processes.len() as u64);
    let pages = total(shown().map(|process| process.pages_held));
    prop_assert_eq!(pages, over_processes(snapshot, |one| one.pages_held));
    let acquired = total(shown().map(|process| process.acquired));
    let acquired = acquired.saturating_add(ended.acquired);
    prop_assert_eq!(acquired, over_processes(snapshot, |one| one.acquired));
    Ok(())
}

fn a_difference_has_each_process_once(now: &Snapshot, before: &Snapshot) -> Checked {
    let rows = difference::of(before, now);
    prop_assert_eq!(rows.len(), now.processes.len());
    let new = rows.iter().filter(|row| row.change == difference::Change::New);
    prop_assert_eq!(new.count(), now.processes.len() - before.processes.len());
    let back = difference::of(now, before);
    prop_assert_eq!(back.len(), rows.len());
    let same = difference::of(now, now);
    prop_assert!(!same.iter().any(difference::DifferenceRow::has_changed));
    Ok(())
}

fn the_system_view_accepts_any_stream(snapshot: &Snapshot) -> Checked {
    prop_assert!(!system::of(snapshot).is_empty());
    Ok(())
}
