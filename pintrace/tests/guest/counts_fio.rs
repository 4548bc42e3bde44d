//! fio's pins: the figures that the kernel's vmstat counters show for it.

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Findings, Report, is_preemptible, kernel_at_least, number};
use crate::recording::Recording;

/// Pages of 16 MiB.
const PAGES: u64 = 4096;
pub(crate) const THP: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// fio with these options on a file of 16 MiB.
pub(crate) fn fio(options: &str) -> Command {
    // It takes the process over, and watches it from another: the process id is fio's.
    let mut command = Command::new("timeout");
    command.args(["60", "fio"]);
    // A guest's disk; another folder on this machine.
    let folder = std::env::var("PINTRACE_TEST_DISK").unwrap_or_else(|_| "/mnt".to_owned());
    command.arg(format!("--filename={folder}/fio.dat"));
    command.args("--name=job --size=16M --output=/dev/null".split(' '));
    command.args(options.split_whitespace()).stdin(Stdio::null());
    command
}

/// Runs it to its end; what it said if that was a bad one.
fn run(fio: &mut Command, findings: &mut Findings) {
    let output = fio.stderr(Stdio::piped()).output().unwrap();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        findings.same(
            "fio's end",
            (output.status.to_string(), said.into_owned()),
            Default::default(),
        );
    }
}

/// Makes the file, so that no run does.
pub(crate) fn lay_out() {
    let status = fio("--rw=write --bs=1M --ioengine=psync --end_fsync=1")
        .status()
        .unwrap();
    assert!(status.success());
}

/// The process of a fio that has pinned since `before`; there must be one at most.
fn job<'a>(before: &Report, now: &'a Report) -> Option<&'a Value> {
    let known: Vec<_> = before.processes().iter().map(|process| &process["pid"]).collect();
    let mut new = now
        .processes()
        .iter()
        .filter(|process| !known.contains(&&process["pid"]));
    let job = new.next()?;
    assert_eq!(job["comm"], "fio");
    assert!(new.next().is_none(), "fio forks one job, and it alone pins");
    Some(job)
}

/// On a preemptible kernel a thread may be taken off its CPU inside both copies of a hook; the call that is skipped
/// then is counted, and the figures are short by it. Such a run is made again, a few times.
#[test]
fn direct_io_of_fio_is_counted_exactly() {
    lay_out();
    for _ in 0..3 {
        let (findings, skipped) = direct_io();
        if skipped == 0 || !is_preemptible() {
            return findings.conclude();
        }
        println!("again: the kernel skipped {skipped} calls, which were counted");
    }
    panic!("the kernel skipped calls in each of three runs");
}

/// What was wrong, and how many calls the kernel skipped.
fn direct_io() -> (Findings, u64) {
    let recording = Recording::shared();
    let mut findings = Findings::default();
    let expected = if kernel_at_least(6, 5) { PAGES } else { 0 };
    for options in [
        "--ioengine=io_uring --rw=read",
        "--ioengine=io_uring --rw=randwrite --iodepth=8",
        "--ioengine=libaio --rw=read --iodepth=8",
        "--ioengine=psync --rw=read",
        "--ioengine=psync --rw=write",
    ] {
        let before = recording.settled();
        findings.about(options);
        run(fio(options).args(["--direct=1", "--bs=64k"]), &mut findings);
        let report = recording.settled();
        report.check(&mut findings);
        let figure = |key| job(&before, &report).map_or(0, |job| number(&job[key]));
        findings.same("acquired", figure("acquired"), expected);
        findings.same("released", figure("released"), expected);
        findings.same("held", figure("pages_held"), 0);
        if let Some(job) = job(&before, &report) {
            findings.same(
                "subsystems",
                job["subsystems"].clone(),
                serde_json::json!({"direct_io": 0}),
            );
            findings.holds(!job["ended"].is_null(), "the job's end");
        }
    }
    let report = recording.finish();
    report.check(&mut findings);
    (findings, number(&report.document["loss"]["recursion_missed"]))
}

#[test]
fn buffered_io_of_fio_pins_nothing() {
    lay_out();
    let recording = Recording::shared();
    let before = recording.settled();
    let mut findings = Findings::default();
    assert!(
        fio("--ioengine=io_uring --rw=randrw --bs=4k --io_size=2M")
            .status()
            .unwrap()
            .success()
    );
    let report = recording.finish();
    report.check(&mut findings);
    for key in ["vmstat_acquired", "vmstat_released"] {
        findings.same(key, report.balance(key), before.balance(key));
    }
    findings.same("processes", report.processes().len(), before.processes().len());
    findings.conclude();
}

#[test]
fn fixed_buffers_of_fio_are_held_while_it_runs() {
    lay_out();
    let recording = Recording::shared();
    let mut findings = Findings::default();
    for (depth, pages) in [(1, 16), (8, 128)] {
        findings.about(format!("iodepth {depth}, running"));
        let before = recording.settled();
        let options = format!(
            "--ioengine=io_uring --fixedbufs=1 --direct=1 --rw=randread --bs=64k --iodepth={depth} \
             --time_based --runtime=60"
        );
        let mut running = fio(&options).spawn().unwrap();
        let report = recording.once("fio to pin", |now| job(&before, now).is_some());
        report.check(&mut findings);
        let process = job(&before, &report).unwrap();
        for (key, expected) in [
            ("pages_held", pages),
            ("longterm_pages_held", pages),
            ("bytes_held", pages * 4096),
            ("acquired", pages),
            ("released", 0),
        ] {
            findings.same(key, number(&process[key]), expected);
        }
        findings.same(
            "subsystems",
            process["subsystems"].clone(),
            serde_json::json!({"io_uring": pages}),
        );
        interrupt(&mut running);
        findings.about(format!("iodepth {depth}, after"));
        let pid = number(&process["pid"]);
        let report = recording.once("fio to release", |now| now.figure(pid, "pages_held") == 0);
        report.check(&mut findings);
        findings.same("acquired", report.figure(pid, "acquired"), pages);
        findings.same("released", report.figure(pid, "released"), pages);
    }
    recording.finish().check(&mut findings);
    findings.conclude();
}

#[test]
fn many_pins_at_once_on_one_huge_page_are_counted_exactly() {
    lay_out();
    let recording = Recording::shared();
    let mut findings = Findings::default();
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
        findings.about(&*options);
        run(&mut fio(&options), &mut findings);
        let report = recording.settled();
        report.check(&mut findings);
        let figure = |key| job(&before, &report).map_or(0, |job| number(&job[key]));
        findings.same("acquired", figure("acquired"), expected);
        findings.same("released", figure("released"), expected);
        findings.same("bytes_held", figure("bytes_held"), 0);
    }
    std::fs::write("/proc/sys/vm/nr_hugepages", "0").unwrap();
    if let Some(policy) = policy {
        std::fs::write(THP, policy.split(['[', ']']).nth(1).unwrap()).unwrap();
    }
    recording.finish().check(&mut findings);
    findings.conclude();
}

/// Ends fio as a terminal would: it finishes what is under way, and ends in order.
fn interrupt(fio: &mut Child) {
    kill_process(Pid::from_child(fio), Signal::INT).unwrap();
    fio.wait().unwrap();
}
