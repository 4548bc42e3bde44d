//! 100,000 extents in 10,000 processes build each view. A view that compares each row with each other row would not end.

use std::sync::Arc;

use pintrace_events::FileId;
use pintrace_events::units::{ExtentId, Nanos, Pid, Tid};

use crate::field::{call_site, cgroup, holder, pin};
use crate::history::History;
use crate::snapshot::{OpenExtent, Process, Snapshot};
use crate::subsystem::Subsystem;
use crate::views::{call_sites, cgroups, difference, ended, holders, pin_list};

const PROCESSES: u32 = 10_000;
const EXTENTS: u32 = 10;

fn extent(pid: u32, index: u32, caller: &Arc<str>, stacks: &[Arc<[String]>]) -> OpenExtent {
    let id = pid * EXTENTS + index;
    OpenExtent {
        extent: ExtentId(id),
        tid: Tid(pid),
        address: u64::from(id) << 12,
        end: (u64::from(id) + 1) << 12,
        pages: 1,
        pages_held: 1,
        bytes_held: 4096,
        since: Nanos(u64::from(index) + 1),
        subsystem: Subsystem::IoUring,
        // Half of the extents have a file of their own, and one tenth share a file between processes.
        file: FileId(match index {
            0 => 1,
            1..6 => u64::from(id) + 2,
            _ => 0,
        }),
        caller: Arc::clone(caller),
        stack: Arc::clone(&stacks[id as usize % stacks.len()]),
        ..OpenExtent::default()
    }
}

fn large(time: u64) -> Snapshot {
    let stacks: Vec<Arc<[String]>> = (0..100)
        .map(|stack| (0..30).map(|frame| format!("frame_{frame}_of_{stack}")).collect())
        .collect();
    let caller: Arc<str> = "io_pin_pages".into();
    let processes = (1..=PROCESSES).map(|pid| {
        let extents: Vec<_> = (0..EXTENTS)
            .map(|index| extent(pid, index, &caller, &stacks))
            .collect();
        Arc::new(Process {
            pid: Pid(pid),
            comm: format!("worker-{}", pid % 50),
            cgroup: format!("/kubepods/pod{}/container-{pid}", pid / 10),
            extents: EXTENTS.into(),
            pages_held: EXTENTS.into(),
            bytes_held: u64::from(EXTENTS) * 4096,
            longterm_pages_held: EXTENTS.into(),
            open_extents: extents.into(),
            ..Process::default()
        })
    });
    Snapshot {
        time: Nanos(time),
        processes: processes.collect(),
        ..Snapshot::default()
    }
}

#[test]
fn a_hundred_thousand_extents_build_each_view() {
    let snapshot = large(1);
    let all = u64::from(PROCESSES * EXTENTS);
    let of_processes = snapshot.processes.len();
    let mut pins = pin_list::of(&snapshot);
    assert_eq!(pins.len() as u64, all);
    let column = pin::column("address").unwrap();
    pins.sort_by(|one, two| pin::rank(column, one, two));
    assert!(pins.is_sorted_by_key(|row| row.extent.address));

    let rows = holders::of(&snapshot);
    // The shared file, the files of single extents, and the pins of each process without a file.
    assert_eq!(rows.len(), 1 + of_processes * 5 + of_processes);
    assert_eq!(rows[0].processes.len(), of_processes);
    let column = holder::column(holder::DEFAULT_SORT).unwrap();
    assert!(rows.is_sorted_by(|one, two| holder::rank(column, one, two).is_le() || one.sums == two.sums));

    let rows = call_sites::of(&snapshot);
    assert_eq!(rows.len(), 100);
    let column = call_site::column(call_site::DEFAULT_SORT).unwrap();
    assert!(call_site::rank(column, &rows[0], &rows[1]).is_le());

    let rows = cgroups::of(&snapshot);
    assert_eq!(rows[0].subtree.pages_held, all);
    assert_eq!(rows.len(), 2 + (of_processes / 10 + 1) + of_processes);
    let column = cgroup::column(cgroup::DEFAULT_SORT).unwrap();
    assert!(cgroup::rank(column, &rows[0], &rows[1]).is_le());

    assert_eq!(ended::of(&snapshot).processes, 0);
    assert_eq!(snapshot.processes.len(), of_processes);
    assert_eq!(difference::of(&snapshot, &large(2)).len(), of_processes);
    let mut history = History::default();
    for time in 1..20 {
        history.record(&Snapshot {
            time: Nanos(time),
            ..snapshot.clone()
        });
    }
    assert_eq!(history.of(Pid(1)).len(), 19);
}
