//! bpftrace as an independent second source: a recording must show the same sums by thread.

use std::process::{Command, Stdio};

use crate::bpftrace::{Bpftrace, Sums};
use crate::counts_fio::{fio, lay_out};
use crate::harness::{Checks, Report, kernel_at_least, left_out, number};
use crate::recording::Recording;

/// Pages that fio reads (16 MiB).
const READ: u64 = 4096;
const FIXED: u64 = 16;
const CALL: u64 = 64;

/// Runs of the workloads until bpftrace has missed no call.
const RUNS: u32 = 5;

/// The report of pintrace and the sums of bpftrace for the same workloads. A run in which bpftrace missed a call, by the
/// kernel's own count, compares nothing and is repeated.
fn compared(workloads: impl Fn()) -> (Report, Sums, Checks) {
    for run in 1..=RUNS {
        let (report, sums, checks) = one_run(&workloads);
        if sums.missed == 0 {
            return (report, sums, checks);
        }
        println!("run {run}: bpftrace missed {} calls", sums.missed);
    }
    panic!("bpftrace missed calls in each of {RUNS} runs");
}

/// Runs the workloads once under bpftrace and pintrace.
fn one_run(workloads: impl Fn()) -> (Report, Sums, Checks) {
    // The recording comes first: pintrace takes test pins while it starts.
    let recording = Recording::of_ledger("bpftrace");
    let bpftrace = Bpftrace::attach();
    workloads();
    let report = recording.finish();
    let sums = bpftrace.detach();
    let acquired = sums.acquired.values().sum();
    println!(
        "{} threads acquired {acquired} pages; {} pages were released",
        sums.acquired.len(),
        sums.released
    );
    let mut checks = Checks::default();
    let vmstat = |key| u64::try_from(report.balance(key) - report.balance("gup_retry")).unwrap();
    checks.same("bpftrace's acquired", acquired, vmstat("vmstat_acquired"));
    checks.same("bpftrace's released", sums.released, vmstat("vmstat_released"));
    (report, sums, checks)
}

fn pinload(words: &str) {
    let mut command = Command::new("pinload");
    let status = command.args(words.split(' ')).stdout(Stdio::null()).status();
    match status.unwrap().code() {
        Some(0) => {}
        Some(3) => left_out(words, &"this kernel does not offer it"),
        code => panic!("pinload {words}: {code:?}"),
    }
}

#[test]
fn bpftrace_and_pintrace_agree_for_each_thread() {
    lay_out();
    let (report, sums, mut checks) = compared(|| {
        let read = "--ioengine=io_uring --rw=read --direct=1 --bs=64k";
        for options in [read, &format!("{read} --fixedbufs=1")] {
            assert!(fio(options).status().unwrap().success(), "{options}");
        }
        for words in [
            "io-uring",
            "io-uring --backing thp --reserve",
            "af-xdp --pages 96",
            "process-vm --repeat 3",
            "direct-read --pages 512",
            "direct-write --pages 512",
            "udmabuf",
        ] {
            pinload(words);
        }
    });
    report.check(&mut checks);
    for pages in [READ, FIXED] {
        // Before 6.5 direct I/O takes FOLL_GET references and no pins.
        let expected = pages == FIXED || kernel_at_least(6, 5);
        let found = sums.acquired.values().any(|sum| *sum == pages);
        checks.same(&format!("a thread of fio with {pages} pages"), found, expected);
    }
    checks.same("acquired by thread", report.acquired_by_thread(), sums.acquired);
    let released = u64::try_from(report.balance("ledger_released")).unwrap();
    checks.same("released", released, sums.released);
    checks.conclude();
}

/// On a preemptible kernel a thread may be preempted inside a program of pintrace, and the kernel skips the program for
/// other threads on that CPU. A program of bpftrace is skipped only inside a system call on a hash map ([`Sums::missed`]).
#[test]
fn bpftrace_and_pintrace_agree_for_concurrent_threads_or_skipped_calls_are_counted() {
    // A kretprobe, by which bpftrace sees returns, has 10 instances at least (`register_kretprobe`, kernel/kprobes.c).
    let (report, sums, mut checks) = compared(|| pinload("io-uring --threads 8"));
    let shown = report.acquired_by_thread();
    let skipped = number(&report.document["loss"]["recursion_missed"]);
    if skipped == 0 {
        report.check(&mut checks);
        checks.same("acquired by thread", shown, sums.acquired);
        return checks.conclude();
    }
    println!("the kernel skipped {skipped} calls, which were counted");
    let mut missing = 0;
    for (thread, pages) in &sums.acquired {
        let pages_shown = shown.get(thread).copied().unwrap_or(0);
        checks.holds(pages_shown <= *pages, "no more pages than bpftrace saw");
        missing += pages.saturating_sub(pages_shown);
    }
    let known = shown.keys().all(|thread| sums.acquired.contains_key(thread));
    checks.holds(known, "only threads that bpftrace saw");
    // The report contains the number of missing pages and the reason.
    let reported =
        report.balance("vmstat_acquired") - report.balance("gup_retry") - report.balance("ledger_acquired");
    checks.same("missing", missing, u64::try_from(reported).unwrap());
    checks.holds(
        missing <= skipped * CALL,
        "skipped calls explain the missing pages",
    );
    checks.conclude();
}
