//! Shows the live view with invented processes. The example needs no root, no eBPF and no pins.
//!
//! `cargo run -p pintrace --example top_demo [-- --calm | --no-mouse | --panic | --panic-main]`. `--calm` shows a host without
//! losses and findings. After the first second, `--panic` panics in a thread beside the view, and `--panic-main` panics
//! in the drawing thread.

mod findings;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pintrace_events::units::{Nanos, Pid, Tid};
use pintrace_events::{FileId, Probe, Started};
use pintrace_model::snapshot::{Balance, OpenExtent, Process, ProcessEnd, Snapshot, Thread};
use pintrace_model::subsystem::Subsystem;
use pintrace_tui::{ExitReason, ViewOptions};
use tokio::sync::watch;

const SECOND: u64 = 1_000_000_000;
/// Seconds of the clock at the start of the invented session.
const START: u64 = 1000;
/// Seconds of the clock at which the oldest pin was taken.
const OLDEST: u64 = START - 192;
const ON_REQUEST: &str = "a panic on request";

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    let (calm, panics, main_panics) = (has("--calm"), has("--panic"), has("--panic-main"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit_reason = runtime.block_on(async {
        let (sender, receiver) = watch::channel(Arc::new(scene(0, calm)));
        tokio::spawn(async move {
            for second in 1.. {
                tokio::time::sleep(Duration::from_secs(1)).await;
                assert!(!panics, "{ON_REQUEST}");
                if sender.send(Arc::new(scene(second, calm))).is_err() {
                    break;
                }
            }
        });
        let options = ViewOptions {
            mouse: !has("--no-mouse"),
            ..ViewOptions::default()
        };
        let view = pintrace_tui::run(receiver, options);
        if main_panics {
            tokio::select! {
                exit_reason = view => exit_reason,
                () = panic_after_a_second() => unreachable!("it panics"),
            }
        } else {
            view.await
        }
    })?;
    Ok(match exit_reason {
        ExitReason::Quit => ExitCode::SUCCESS,
        ExitReason::Signal(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
        ExitReason::SourceGone | ExitReason::Panicked => ExitCode::FAILURE,
    })
}

#[expect(clippy::panic, reason = "a test of the terminal asks for it")]
async fn panic_after_a_second() {
    tokio::time::sleep(Duration::from_secs(1)).await;
    panic!("{ON_REQUEST}");
}

/// Returns the state of the host after `second` seconds.
fn scene(second: u64, calm: bool) -> Snapshot {
    let now = Nanos((START + second) * SECOND);
    let mut processes = vec![
        vm(),
        short(
            880,
            "fio",
            Subsystem::DirectIo,
            32 + second % 5,
            251_000 + second * 37 % 900,
            second,
        ),
        short(
            901,
            "postgres",
            Subsystem::DirectIo,
            second % 3,
            1200 + second * 131 % 400,
            second,
        ),
        short(1204, "nginx", Subsystem::Other, 0, second % 2 * 3, second),
        long(1330, "ib_write_bw", Subsystem::Rdma, 16_384),
        long(1377, "suricata", Subsystem::AfXdp, 4096),
        long(2001, "日本語サーバ", Subsystem::IoUring, 512),
        long(2002, "evil\x1b[2J\u{202e}name", Subsystem::IoUring, 256),
        killed(),
    ];
    processes.extend((0..40).map(|index| {
        short(
            3000 + index,
            &format!("worker-{index}"),
            Subsystem::DirectIo,
            0,
            u64::from(index) * second % 7,
            second,
        )
    }));
    processes.sort_by_key(|process| process.pid);
    let held: u64 = processes.iter().map(|process| process.pages_held).sum();
    let unaccounted = if calm { 0 } else { i64::from(second % 20 > 9) * 17 };
    let lost = if calm { 0 } else { second / 10 * 3 };
    Snapshot {
        time: now,
        duration: Nanos(second * SECOND),
        started: Arc::new(started()),
        balance: Balance {
            vmstat_readable: true,
            vmstat_held: held.cast_signed() + 345 + unaccounted,
            ledger_held: held.cast_signed(),
            preexisting_held: 345,
            unaccounted,
            ..Balance::default()
        },
        loss: vec![("ring_full", lost), ("folio_table_full", lost / 2)],
        processes: processes.into_iter().map(Arc::new).collect(),
        findings: if calm { Vec::new() } else { findings::findings(now) },
        windows: if calm {
            Vec::new()
        } else {
            findings::windows(second)
        },
        flush_check: findings::check(second),
        ..Snapshot::default()
    }
}

fn started() -> Started {
    let probe = |(purpose, method): (&str, &str)| Probe {
        purpose: purpose.to_owned(),
        method: method.to_owned(),
        ..Probe::default()
    };
    let watching = ["copy", "fork", "mapping", "window"].map(|purpose| (purpose, "fentry"));
    Started {
        kernel: "6.12.9-cloud-amd64".to_owned(),
        host: "vmhost-17".to_owned(),
        mode: "trace".to_owned(),
        probes: std::iter::repeat_n(("acquire", "fexit"), 11)
            .chain(std::iter::repeat_n(("release", "fentry"), 6))
            .chain(watching)
            .map(probe)
            .collect(),
        ..Started::default()
    }
}

fn vm() -> Process {
    let extents: Vec<OpenExtent> = (0..200).map(|index| extent(4242, index)).collect();
    Process {
        cmdline: "qemu-system-x86_64 -name guest-seven -m 100G -device vfio-pci,host=0000:65:00.0".to_owned(),
        uid: Some(64_055),
        cgroup: "/machine.slice/guest-seven.scope".to_owned(),
        extents: 200,
        open_extents: extents.into(),
        threads: vec![
            thread(4242, "qemu-system-x86", 262_144),
            thread(4250, "CPU 0/KVM", 0),
        ],
        ..long(4242, "qemu-system-x86", Subsystem::Vfio, 262_144)
    }
}

fn killed() -> Process {
    let ended = ProcessEnd {
        time: Nanos(995 * SECOND),
        signal: 9,
        status: 0,
        pages_held: 512,
    };
    Process {
        ended: Some(ended),
        ..long(911, "rdma-server", Subsystem::Rdma, 512)
    }
}

fn long(pid: u32, comm: &str, subsystem: Subsystem, pages: u64) -> Process {
    Process {
        pid: Pid(pid),
        comm: comm.to_owned(),
        extents: 1,
        pages_held: pages,
        bytes_held: pages * 4096,
        longterm_pages_held: pages,
        oldest_since: Some(Nanos(OLDEST * SECOND)),
        acquired: pages,
        subsystems: BTreeMap::from([(subsystem, pages)]),
        threads: vec![thread(pid, comm, pages)],
        open_extents: vec![extent(pid, 0)].into(),
        ..Process::default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "small invented numbers")]
fn short(pid: u32, comm: &str, subsystem: Subsystem, pages: u64, rate: u64, second: u64) -> Process {
    Process {
        pid: Pid(pid),
        comm: comm.to_owned(),
        pages_held: pages,
        bytes_held: pages * 4096,
        oldest_since: Some(Nanos((START + second) * SECOND - 900_000)),
        acquired: rate * second + pages,
        released: rate * second,
        acquired_per_second: rate as f64,
        released_per_second: rate as f64,
        subsystems: BTreeMap::from([(subsystem, pages)]),
        threads: vec![thread(pid, comm, pages)],
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

fn extent(tid: u32, index: u64) -> OpenExtent {
    let frames = [
        "pin_user_pages_remote+0x5a",
        "vaddr_get_pfns+0x77 [vfio_iommu_type1]",
        "vfio_pin_pages_remote+0xe1 [vfio_iommu_type1]",
        "vfio_iommu_type1_ioctl+0x6d3 [vfio_iommu_type1]",
        "__x64_sys_ioctl+0x94",
        "do_syscall_64+0x82",
    ];
    let address = 0x7f12_0000_0000 + index * 0x200_0000;
    OpenExtent {
        tid: Tid(tid),
        address,
        end: address + 512 * 4096,
        pages: 512,
        pages_held: 512,
        bytes_held: 512 * 4096,
        since: Nanos((OLDEST + index) * SECOND),
        file: FileId(u64::from(tid)),
        descriptor: (tid == 4242).then_some(31),
        subsystem: Subsystem::Vfio,
        caller: "vaddr_get_pfns [vfio_iommu_type1]".into(),
        stack: frames.map(str::to_owned).into(),
        ..OpenExtent::default()
    }
}
