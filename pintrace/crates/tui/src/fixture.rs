//! Snapshots for the tests of the view.

use std::collections::BTreeMap;
use std::sync::Arc;

use pintrace_common::counters::Loss;

use pintrace_events::units::{ExtentId, Nanos, Pid, Tid};
use pintrace_events::{Evidence, FileId, Probe, Started};
use pintrace_model::snapshot::{Balance, HeldAccount, OpenExtent, Process, ProcessEnd, Snapshot, Thread};
use pintrace_model::subsystem::Subsystem;

const SECOND: u64 = 1_000_000_000;
/// The time of the snapshots.
const NOW: Nanos = Nanos(1000 * SECOND);

/// Returns a trace without pins and losses.
pub(super) fn empty() -> Snapshot {
    let probe = |purpose: &str, method: &str| Probe {
        purpose: purpose.to_owned(),
        method: method.to_owned(),
        ..Probe::default()
    };
    Snapshot {
        time: NOW,
        duration: Nanos(3 * SECOND),
        started: Arc::new(Started {
            host: "vmhost-17".to_owned(),
            kernel: "6.12.9-cloud-amd64".to_owned(),
            mode: "trace".to_owned(),
            probes: vec![
                probe("acquire", "fexit"),
                probe("acquire", "fexit"),
                probe("release", "kprobe"),
            ],
            ..Started::default()
        }),
        balance: Balance {
            vmstat_readable: true,
            ..Balance::default()
        },
        loss: Loss::ALL.iter().map(|loss| (loss.name(), 0)).collect(),
        ..Snapshot::default()
    }
}

/// Returns a host with a virtual machine, a disk benchmark, and two ended processes.
pub(super) fn busy() -> Snapshot {
    let vm = Process {
        cmdline: "qemu-system-x86_64 -name guest-seven -m 100G".to_owned(),
        uid: Some(64_055),
        cgroup: "/machine.slice/guest-seven.scope".to_owned(),
        extents: 2,
        threads: vec![
            thread(4242, "qemu-system-x86", 26_214_912),
            thread(4250, "CPU 0/KVM", 0),
        ],
        open_extents: vec![
            extent(4242, 0x7f12_0000_0000, 26_214_400),
            extent(4242, 0x7f10_0000_0000, 512),
        ]
        .into(),
        longterm_pages_held: 26_214_912,
        ..process(
            4242,
            "qemu-system-x86",
            26_214_912,
            &[(Subsystem::Vfio, 26_214_912)],
        )
    };
    let fio = Process {
        extents: 1,
        acquired: 9_000_000,
        released: 8_999_968,
        acquired_per_second: 251_000.0,
        released_per_second: 250_968.4,
        oldest_since: Some(Nanos(NOW.0 - 900_000)),
        ..process(
            880,
            "fio",
            32,
            &[(Subsystem::DirectIo, 32), (Subsystem::IoUring, 0)],
        )
    };
    let killed = Process {
        ended: Some(ProcessEnd {
            time: Nanos(990 * SECOND),
            signal: 9,
            status: 0,
            pages_held: 512,
        }),
        ..process(911, "rdma-server", 512, &[(Subsystem::Rdma, 512)])
    };
    let done = Process {
        ended: Some(ProcessEnd {
            time: Nanos(950 * SECOND),
            ..ProcessEnd::default()
        }),
        acquired: 77,
        released: 77,
        ..process(912, "dd", 0, &[(Subsystem::DirectIo, 0)])
    };
    let mut snapshot = empty();
    snapshot.duration = Nanos(751 * SECOND);
    snapshot.processes = [fio, killed, done, vm].map(Arc::new).into_iter().collect();
    let held = 26_214_912 + 32 + 512;
    snapshot.balance = Balance {
        vmstat_readable: true,
        vmstat_held: held + 345,
        ledger_held: held,
        preexisting_held: 345,
        ..Balance::default()
    };
    snapshot
}

/// Returns the busy host after losses.
pub(super) fn lossy() -> Snapshot {
    let mut snapshot = busy();
    snapshot.balance.unaccounted = -17;
    for (name, count) in &mut snapshot.loss {
        match *name {
            "ring_full" => *count = 12_345,
            "folio_table_full" => *count = 3,
            "recursion_missed" => *count = 1,
            _ => {}
        }
    }
    snapshot
}

/// Returns processes whose names contain control characters and wide characters.
pub(super) fn hostile() -> Snapshot {
    let names = [
        "\x1b[2J\x1b[31mred",
        "two\nlines",
        "back\u{8}\u{8}\u{8}\u{8}",
        "evil\u{202e}gnp.exe",
        "日本語のプロセス",
        "e\u{301}e\u{301}e\u{301}",
        "",
        "\u{200b}\u{200b}hidden",
        "👩‍👩‍👧‍👦 family",
    ];
    let mut snapshot = empty();
    snapshot.started = Arc::new(Started {
        host: "host\x1b]0;title\x07".to_owned(),
        kernel: "6.1".to_owned(),
        ..Started::default()
    });
    snapshot.processes = (1..)
        .zip(names)
        .map(|(pid, name)| Arc::new(process(pid, name, 100 - u64::from(pid), &[])))
        .collect();
    snapshot
}

fn process(pid: u32, comm: &str, pages: u64, subsystems: &[(Subsystem, u64)]) -> Process {
    Process {
        pid: Pid(pid),
        comm: comm.to_owned(),
        pages_held: pages,
        bytes_held: pages * 4096,
        oldest_since: Some(Nanos(NOW.0 - 192 * SECOND)),
        acquired: pages,
        subsystems: subsystems.iter().copied().collect::<BTreeMap<_, _>>(),
        ..Process::default()
    }
}

fn thread(tid: u32, comm: &str, pages: u64) -> Thread {
    Thread {
        tid: Tid(tid),
        comm: comm.to_owned(),
        pages_held: pages,
        acquired: pages,
        released: 0,
    }
}

fn extent(tid: u32, address: u64, pages: u64) -> OpenExtent {
    let frames = [
        "pin_user_pages_remote+0x5a",
        "vaddr_get_pfns+0x77 [vfio_iommu_type1]",
        "vfio_pin_pages_remote+0xe1 [vfio_iommu_type1]",
    ];
    OpenExtent {
        tid: Tid(tid),
        address,
        end: address + pages * 4096,
        pages,
        pages_held: pages,
        bytes_held: pages * 4096,
        since: Nanos(NOW.0 - 192 * SECOND),
        file: FileId(u64::from(tid)),
        descriptor: Some(31),
        subsystem: Subsystem::Vfio,
        caller: "vaddr_get_pfns [vfio_iommu_type1]".into(),
        stack: frames.map(str::to_owned).into(),
        ..OpenExtent::default()
    }
}

/// Returns the busy host with findings.
pub(super) fn found() -> Snapshot {
    let mut model = pintrace_model::Model::default();
    for event in &pintrace_testing::event_builder::finding_fixtures().events {
        model.apply(event);
    }
    let folded = model.snapshot();
    let mut snapshot = busy();
    // The ages of the findings depend on the time of the snapshot.
    snapshot.time = folded.time;
    snapshot.findings = folded.findings;
    snapshot.finding_counts = folded.finding_counts;
    snapshot.windows = folded.windows;
    snapshot.windows_by_cause = folded.windows_by_cause;
    snapshot.flush_check = folded.flush_check;
    snapshot.started = Arc::new(watched(&["copy", "fork", "mapping", "window"]));
    snapshot
}

/// Returns the host with findings, pin calls, cgroups, open files and descriptors.
pub(super) fn full() -> Snapshot {
    let mut model = pintrace_model::Model::default();
    for event in &pintrace_testing::event_builder::pin_call_fixtures().events {
        model.apply(event);
    }
    let calls = model.snapshot();
    let mut snapshot = found();
    snapshot.pin_calls = calls.pin_calls;
    snapshot.failed_registrations = calls.failed_registrations;
    snapshot.calls_in_flight = calls.calls_in_flight;
    for call in &mut snapshot.calls_in_flight {
        call.began = Nanos(snapshot.time.0.saturating_sub(3 * SECOND));
        call.sampled = snapshot.time;
        call.before = None;
    }
    // The ages of these pins count from the time of the findings.
    let since = Nanos(snapshot.time.0.saturating_sub(2 * SECOND));
    let frames = [
        "pin_user_pages_fast+0x1e",
        "io_pin_pages+0x8b",
        "io_sqe_buffer_register+0xa2",
    ];
    let database = Process {
        cgroup: "/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope"
            .to_owned(),
        cmdline: "database --listen 5432".to_owned(),
        uid: Some(1000),
        extents: 1,
        longterm_pages_held: 1024,
        oldest_since: Some(since),
        open_extents: vec![OpenExtent {
            extent: ExtentId(9),
            file: FileId(0xffff_8881_0000_0000),
            descriptor: Some(7),
            caller: "io_pin_pages".into(),
            stack: frames.map(str::to_owned).into(),
            subsystem: Subsystem::IoUring,
            since,
            ..extent(200, 0x7f20_0000_0000, 1024)
        }]
        .into(),
        ..process(200, "database", 1024, &[(Subsystem::IoUring, 1024)])
    };
    let mut processes: Vec<Arc<Process>> = snapshot.processes.iter().cloned().collect();
    processes.push(Arc::new(database));
    for process in &mut processes {
        let process = Arc::make_mut(process);
        process.oldest_since = process.oldest_since.map(|_| since);
        process.open_extents = process
            .open_extents
            .iter()
            .map(|extent| OpenExtent {
                since,
                ..extent.clone()
            })
            .collect::<Vec<_>>()
            .into();
    }
    processes.sort_by_key(|process| process.pid);
    snapshot.processes = processes.into_iter().collect();
    snapshot
}

/// Returns a host on which `count` processes hold an extent each.
pub(super) fn many(count: u32) -> Snapshot {
    let mut snapshot = empty();
    snapshot.processes = (1..=count)
        .map(|pid| {
            let pages = u64::from(pid % 97 + 1);
            Arc::new(Process {
                cgroup: format!(
                    "/kubepods.slice/kubepods-pod{}.slice/cri-containerd-{pid:064x}.scope",
                    pid / 10
                ),
                extents: 1,
                longterm_pages_held: pages,
                open_extents: vec![OpenExtent {
                    extent: ExtentId(pid),
                    ..extent(pid, 0x7f00_0000_0000 + (u64::from(pid) << 20), pages)
                }]
                .into(),
                ..process(
                    pid,
                    &format!("worker-{}", pid % 50),
                    pages,
                    &[(Subsystem::Vfio, pages)],
                )
            })
        })
        .collect();
    snapshot
}

/// Returns a host whose memory is scanned while nothing is traced.
pub(super) fn scanned() -> Snapshot {
    let mut snapshot = empty();
    let mut started = Started::clone(&snapshot.started);
    started.mode = "scan".to_owned();
    started.without_trace = "this kernel refuses fexit programs (EPERM)".to_owned();
    started.probes.clear();
    snapshot.started = Arc::new(started);
    snapshot.scan = Some(pintrace_events::ScanSampled {
        took_ns: 41_000_000,
        ..pintrace_events::ScanSampled::default()
    });
    let found = |subsystem, evidence, pages| HeldAccount {
        pages_held: pages,
        bytes_held: pages * 4096,
        longterm: true,
        from_scan: true,
        evidence: Some(evidence),
        subsystem,
        ..HeldAccount::default()
    };
    let ring = Process {
        untraced: true,
        scan_pages_held: 512,
        oldest_since: None,
        evidence: [(Evidence::KernelTable, 512)].into(),
        held_accounts: vec![found(Subsystem::IoUring, Evidence::KernelTable, 512)],
        ..process(77, "database", 512, &[(Subsystem::IoUring, 512)])
    };
    snapshot.processes = [Arc::new(ring)].into_iter().collect();
    snapshot
}

/// Returns a trace with the finding hooks of these purposes.
pub(super) fn watched(purposes: &[&str]) -> Started {
    let mut started = Started::clone(&empty().started);
    started.probes.extend(purposes.iter().map(|purpose| Probe {
        purpose: (*purpose).to_owned(),
        method: "fentry".to_owned(),
        ..Probe::default()
    }));
    started
}
