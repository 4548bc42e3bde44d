//! Pins by fio, with exact figures and compared with vmstat.

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Checks, Report, is_preemptible, kernel_at_least, number};
use crate::recording::Recording;

/// Pages of 16 MiB.
const PAGES: u64 = 4096;
pub(crate) const THP: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// Returns the command fio with options, on a file of 16 MiB.
pub(crate) fn fio(options: &str) -> Command {
    // `timeout` execs fio and watches it from a child, so the pid of the command is the pid of fio.
    let mut command = Command::new("timeout");
    command.args(["60", "fio"]);
    // The disk of a guest, or a folder on this machine.
    let folder = std::env::var("PINTRACE_TEST_DISK").unwrap_or_else(|_| "/mnt".to_owned());
    command.arg(format!("--filename={folder}/fio.dat"));
    command.args("--name=job --size=16M --output=/dev/null".split(' '));
    command.args(options.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs fio to its end and checks its exit status.
fn run(fio: &mut Command, checks: &mut Checks) {
    let output = fio.stderr(Stdio::piped()).output().unwrap();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        checks.same(
            "fio's end",
            (output.status.to_string(), said.into_owned()),
            Default::default(),
        );
    }
}

/// Creates the file, so that later runs do not create it.
pub(crate) fn lay_out() {
    let status = fio("--rw=write --bs=1M --ioengine=psync --end_fsync=1")
        .status()
        .unwrap();
    assert!(status.success());
}

/// Returns the process of fio that has pinned since `before`. Fails if there are two.
fn job<'a>(before: &Report, now: &'a Report) -> Option<&'a Value> {
    let known: Vec<_> = before.processes().iter().map(|process| &process["pid"]).collect();
    let mut new = now
        .processes()
        .iter()
        .filter(|process| !known.contains(&&process["pid"]));
    let job = new.next()?;
    assert_eq!(job["comm"], "fio");
    assert!(new.next().is_none(), "fio forks one job, and only the job pins");
    Some(job)
}

/// On a preemptible kernel, threads may be preempted inside both the primary and the backup program of a hook. The
/// kernel skips the next call then, and the figures lack that call. The test repeats such a run twice.
#[test]
fn direct_io_of_fio_is_counted_exactly() {
    lay_out();
    for _ in 0..3 {
        let (checks, skipped) = direct_io();
        if skipped == 0 || !is_preemptible() {
            return checks.conclude();
        }
        println!("the run is repeated: the kernel skipped {skipped} calls, which were counted");
    }
    panic!("the kernel skipped calls in each of three runs");
}

/// Runs direct I/O. Returns the checks and the number of calls that the kernel skipped.
fn direct_io() -> (Checks, u64) {
    let recording = Recording::shared();
    let mut checks = Checks::default();
    let expected = if kernel_at_least(6, 5) { PAGES } else { 0 };
    for options in [
        "--ioengine=io_uring --rw=read",
        "--ioengine=io_uring --rw=randwrite --iodepth=8",
        "--ioengine=libaio --rw=read --iodepth=8",
        "--ioengine=psync --rw=read",
        "--ioengine=psync --rw=write",
    ] {
        let before = recording.settled();
        checks.about(options);
        run(fio(options).args(["--direct=1", "--bs=64k"]), &mut checks);
        let report = recording.settled();
        report.check(&mut checks);
        let figure = |key| job(&before, &report).map_or(0, |job| number(&job[key]));
        checks.same("acquired", figure("acquired"), expected);
        checks.same("released", figure("released"), expected);
        checks.same("held", figure("pages_held"), 0);
        if let Some(job) = job(&before, &report) {
            checks.same(
                "subsystems",
                job["subsystems"].clone(),
                serde_json::json!({"direct_io": 0}),
            );
            checks.holds(!job["ended"].is_null(), "the job has ended");
        }
    }
    let report = recording.finish();
    report.check(&mut checks);
    (checks, number(&report.document["loss"]["recursion_missed"]))
}

#[test]
fn buffered_io_of_fio_pins_nothing() {
    lay_out();
    let recording = Recording::shared();
    let before = recording.settled();
    let mut checks = Checks::default();
    assert!(
        fio("--ioengine=io_uring --rw=randrw --bs=4k --io_size=2M")
            .status()
            .unwrap()
            .success()
    );
    let report = recording.finish();
    report.check(&mut checks);
    for key in ["vmstat_acquired", "vmstat_released"] {
        checks.same(key, report.balance(key), before.balance(key));
    }
    checks.same("processes", report.processes().len(), before.processes().len());
    checks.conclude();
}

#[test]
fn fixed_buffers_of_fio_are_held_while_it_runs() {
    lay_out();
    let recording = Recording::shared();
    let mut checks = Checks::default();
    for (depth, pages) in [(1, 16), (8, 128)] {
        checks.about(format!("iodepth {depth}, running"));
        let before = recording.settled();
        let options = format!(
            "--ioengine=io_uring --fixedbufs=1 --direct=1 --rw=randread --bs=64k --iodepth={depth} \
             --time_based --runtime=60"
        );
        let mut running = fio(&options).spawn().unwrap();
        let report = recording.once("fio to pin", |now| job(&before, now).is_some());
        report.check(&mut checks);
        let process = job(&before, &report).unwrap();
        for (key, expected) in [
            ("pages_held", pages),
            ("longterm_pages_held", pages),
            ("bytes_held", pages * 4096),
            ("acquired", pages),
            ("released", 0),
        ] {
            checks.same(key, number(&process[key]), expected);
        }
        checks.same(
            "subsystems",
            process["subsystems"].clone(),
            serde_json::json!({"io_uring": pages}),
        );
        interrupt(&mut running);
        checks.about(format!("iodepth {depth}, after"));
        let pid = number(&process["pid"]);
        let report = recording.once("fio to release", |now| now.figure(pid, "pages_held") == 0);
        report.check(&mut checks);
        checks.same("acquired", report.figure(pid, "acquired"), pages);
        checks.same("released", report.figure(pid, "released"), pages);
    }
    recording.finish().check(&mut checks);
    checks.conclude();
}

#[test]
fn many_pins_at_once_on_one_huge_page_are_counted_exactly() {
    lay_out();
    let recording = Recording::shared();
    let mut checks = Checks::default();
    let expected = if kernel_at_least(6, 5) { PAGES } else { 0 };
    std::fs::write("/proc/sys/vm/nr_hugepages", "8").unwrap();
    // A preemptible real-time kernel has no transparent huge pages.
    let policy = std::fs::read_to_string(THP).ok();
    let mut memories = vec!["mmaphuge"];
    if policy.is_some() {
        std::fs::write(THP, "always").unwrap();
        memories.push("mmap");
    }
    for memory in memories {
        let before = recording.settled();
        let options =
            format!("--ioengine=io_uring --direct=1 --rw=randread --bs=16k --iodepth=32 --iomem={memory}");
        checks.about(&*options);
        run(&mut fio(&options), &mut checks);
        let report = recording.settled();
        report.check(&mut checks);
        let figure = |key| job(&before, &report).map_or(0, |job| number(&job[key]));
        checks.same("acquired", figure("acquired"), expected);
        checks.same("released", figure("released"), expected);
        checks.same("bytes_held", figure("bytes_held"), 0);
    }
    std::fs::write("/proc/sys/vm/nr_hugepages", "0").unwrap();
    if let Some(policy) = policy {
        std::fs::write(THP, policy.split(['[', ']']).nth(1).unwrap()).unwrap();
    }
    recording.finish().check(&mut checks);
    checks.conclude();
}

/// Ends fio with SIGINT: fio completes its I/O in progress and ends normally.
fn interrupt(fio: &mut Child) {
    kill_process(Pid::from_child(fio), Signal::INT).unwrap();
    fio.wait().unwrap();
}
