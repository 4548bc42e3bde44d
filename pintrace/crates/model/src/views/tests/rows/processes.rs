//! Rows by cgroup, ended processes, and differences.

use super::*;
use crate::finding::{Finding, FindingKind, Severity};
use crate::snapshot::ProcessEnd;
use crate::views::difference::{self, Change};
use crate::views::{cgroups, ended};

const ID: &str = "4a5f0e6cb1d3c7f1a2b39c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f";

fn holding(pid: u32, cgroup: &str, pages: u64) -> Process {
    process(
        pid,
        cgroup,
        vec![extent(pages, 0, u64::from(pid), Subsystem::IoUring)],
    )
}

fn ended_process(process: Process) -> Process {
    Process {
        ended: Some(ProcessEnd::default()),
        ..process
    }
}

fn finding(pid: u32, comm: &str) -> Finding {
    Finding {
        kind: FindingKind::CowAfterPin,
        severity: Severity::Alarm,
        certain: true,
        pid: Pid(pid),
        comm: comm.to_owned(),
        address: 0,
        end: 0,
        pages: 1,
        count: 5,
        first: Nanos(1),
        last: Nanos(2),
        pin: None,
        trigger: None,
        explanation: "",
        advice: "",
    }
}

#[test]
fn cgroups_have_own_sums_and_those_of_the_cgroups_inside() {
    let docker = format!("/system.slice/docker-{ID}.scope");
    let mut snapshot = snapshot(vec![
        holding(1, &docker, 8),
        holding(2, &format!("{docker}/init.scope"), 4),
        holding(3, "/system.slice/db.service", 20),
        holding(4, "", 1),
        ended_process(process(5, "/gone.slice", Vec::new())),
    ]);
    snapshot.findings = vec![finding(2, "p2"), finding(2, "p2"), finding(99, "other")];
    let rows = cgroups::of(&snapshot);
    let short: Vec<_> = rows
        .iter()
        .map(|row| {
            let (own, all) = (row.own.pages_held, row.subtree.pages_held);
            (
                row.name.replace(ID, "ID"),
                row.depth,
                row.parent,
                row.descendants,
                own,
                all,
            )
        })
        .collect();
    let row = |name: &str, depth, parent, descendants, own, all| {
        (name.to_owned(), depth, parent, descendants, own, all)
    };
    let expected = [
        row("/", 0, None, 4, 0, 32),
        row("system.slice", 1, Some(0), 3, 0, 32),
        row("db.service", 2, Some(1), 0, 20, 20),
        row("docker-ID.scope", 2, Some(1), 1, 8, 12),
        row("init.scope", 3, Some(3), 0, 4, 4),
        row("(unknown)", 0, None, 0, 1, 1),
    ];
    assert_eq!(short, expected);
    let containers = rows
        .iter()
        .map(|row| row.container.as_ref().map(ToString::to_string));
    let containers: Vec<_> = containers.flatten().collect();
    assert_eq!(containers, ["service db", "docker 4a5f0e6cb1d3"]);
    let docker = &rows[3].subtree;
    assert_eq!(
        (docker.processes, docker.findings, docker.oldest_since),
        (2, 2, Some(Nanos(1)))
    );
    assert_eq!((rows[0].subtree.findings, rows[5].own.findings), (2, 1));
    assert_eq!(rows[4].path, snapshot.processes[1].cgroup);
}

#[test]
fn a_finding_of_a_reused_pid_is_of_the_process_with_its_name() {
    let mut later = holding(1, "/b", 1);
    later.earlier_processes = 1;
    "later".clone_into(&mut later.comm);
    let mut snapshot = snapshot(vec![ended_process(process(1, "/a", Vec::new())), later]);
    snapshot.findings = vec![finding(1, "p1"), finding(1, "later"), finding(1, "renamed")];
    let rows = cgroups::of(&snapshot);
    let findings = |path| rows.iter().find(|row| row.path == path).unwrap().own.findings;
    assert_eq!((findings("/a"), findings("/b")), (1, 2));
}

#[test]
fn cgroups_sorted_by_another_column_stay_a_tree() {
    let rows = cgroups::of(&snapshot(vec![
        holding(1, "/b", 8),
        holding(2, "/b/x", 1),
        holding(3, "/b/y", 2),
        holding(4, "/a/z", 5),
    ]));
    let column = cgroup::column("cgroup").unwrap();
    let sorted = cgroups::sorted(rows, |one, two| cgroup::rank(column, one, two));
    let paths: Vec<_> = sorted.iter().map(|row| (row.path.as_str(), row.parent)).collect();
    let expected = [
        ("/", None),
        ("/a", Some(0)),
        ("/a/z", Some(1)),
        ("/b", Some(0)),
        ("/b/x", Some(3)),
        ("/b/y", Some(3)),
    ];
    assert_eq!(paths, expected);
}

#[test]
fn a_very_deep_path_ends_at_the_last_level() {
    let deep = "/a".repeat(200);
    let rows = cgroups::of(&snapshot(vec![holding(1, &deep, 1)]));
    assert_eq!(rows.len(), 32);
    assert_eq!(rows[31].path, deep);
}

#[test]
fn processes_that_ended_and_hold_nothing_are_one_row() {
    let past = |pid| Process {
        acquired: 10,
        released: 10,
        ..ended_process(process(pid, "/a", Vec::new()))
    };
    let all = vec![
        past(1),
        past(2),
        ended_process(holding(3, "/a", 5)),
        process(4, "/a", Vec::new()),
    ];
    let snapshot_of_all = snapshot(all);
    let shown = snapshot_of_all
        .processes
        .iter()
        .filter(|one| !ended::is_over(one));
    let shown: Vec<_> = shown.map(|process| process.pid.0).collect();
    assert_eq!(shown, [3, 4]);
    let ended = ended::of(&snapshot_of_all);
    assert_eq!(ended.released, 20);
    assert_eq!(
        ended.text().as_deref(),
        Some("2 ended processes, acquired 20 pages")
    );
    let one = ended::of(&snapshot(vec![past(1)]));
    assert_eq!(one.text().as_deref(), Some("1 ended process, acquired 10 pages"));
    assert_eq!(ended::EndedProcesses::default().text(), None);
}

#[test]
fn differences_name_new_ended_and_gone_processes() {
    let mut same = holding(1, "/a", 5);
    same.acquired = 5;
    let before = snapshot(vec![
        same.clone(),
        holding(2, "/a", 3),
        holding(3, "/a", 7),
        holding(5, "/a", 2),
    ]);
    let mut grown = holding(1, "/a", 9);
    (grown.acquired, grown.released) = (11, 2);
    let now = snapshot(vec![
        grown,
        ended_process(holding(3, "/a", 7)),
        holding(4, "/a", 6),
        holding(5, "/a", 2),
    ]);
    let rows = difference::of(&before, &now);
    let short: Vec<_> = rows
        .iter()
        .map(|row| (row.process.pid.0, row.change, row.pages_held, row.bytes_held))
        .collect();
    let expected = [
        (1, Change::Same, 4, 4 * 4096),
        (2, Change::Gone, -3, -3 * 4096),
        (3, Change::Ended, 0, 0),
        (4, Change::New, 6, 6 * 4096),
        (5, Change::Same, 0, 0),
    ];
    assert_eq!(short, expected);
    assert_eq!((rows[0].acquired, rows[0].released), (6, 2));
    let changed: Vec<_> = rows.iter().map(difference::DifferenceRow::has_changed).collect();
    assert_eq!(changed, [true, true, true, true, false]);
}
