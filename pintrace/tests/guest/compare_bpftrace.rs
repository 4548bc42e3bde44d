//! bpftrace as a second source, which knows nothing of pintrace: its sums by thread are what a recording shows.

use std::process::{Command, Stdio};

use crate::bpftrace::{Bpftrace, Sums};
use crate::counts_fio::{fio, lay_out};
use crate::harness::{Findings, Report, kernel_at_least, number};
use crate::recording::Recording;

/// Pages of the 16 MiB that fio reads, of its one fixed buffer, and of a call of pinload.
const READ: u64 = 4096;
const FIXED: u64 = 16;
const CALL: u64 = 64;

/// Runs of the workloads until bpftrace has missed no call.
const RUNS: u32 = 5;

/// The report of pintrace and the sums of bpftrace for the same workloads. A run in which bpftrace missed a call, by the
/// kernel's own count, compares nothing and is repeated.
fn compared(workloads: impl Fn()) -> (Report, Sums, Findings) {
    for run in 1..=RUNS {
        let (report, sums, findings) = one_run(&workloads);
        if sums.missed == 0 {
            return (report, sums, findings);
        }
        println!("run {run}: bpftrace missed {} calls", sums.missed);
    }
    panic!("bpftrace missed calls in each of {RUNS} runs");
}

fn one_run(workloads: impl Fn()) -> (Report, Sums, Findings) {
    let bpftrace = Bpftrace::attach();
    let recording = Recording::of_ledger("bpftrace");
    workloads();
    let own = recording.pid();
    let report = recording.finish();
    let mut sums = bpftrace.detach();
    // What pintrace pinned and let go before it began to count.
    sums.released -= sums.acquired.remove(&own).unwrap_or(0);
    let acquired = sums.acquired.values().sum();
    println!(
        "{} threads acquired {acquired} pages; {} were released",
        sums.acquired.len(),
        sums.released
    );
    let mut findings = Findings::default();
    let vmstat = |key| u64::try_from(report.balance(key) - report.balance("gup_retry")).unwrap();
    findings.same("bpftrace's acquired", acquired, vmstat("vmstat_acquired"));
    findings.same("bpftrace's released", sums.released, vmstat("vmstat_released"));
    (report, sums, findings)
}

fn pinload(words: &str) {
    let mut command = Command::new("pinload");
    let status = command.args(words.split(' ')).stdout(Stdio::null()).status();
    match status.unwrap().code() {
        Some(0) => {}
        Some(3) => println!("left out: {words}: this kernel does not offer it"),
        code => panic!("pinload {words}: {code:?}"),
    }
}

#[test]
fn bpftrace_sums_the_same_for_each_thread() {
    lay_out();
    let (report, sums, mut findings) = compared(|| {
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
    report.check(&mut findings);
    for pages in [READ, FIXED] {
        // Before 6.5 direct I/O takes references and no pins.
        let expected = pages == FIXED || kernel_at_least(6, 5);
        let found = sums.acquired.values().any(|sum| *sum == pages);
        findings.same(&format!("a thread of fio with {pages} pages"), found, expected);
    }
    findings.same("acquired by thread", report.acquired_by_thread(), sums.acquired);
    let released = u64::try_from(report.balance("ledger_released")).unwrap();
    findings.same("released", released, sums.released);
    findings.conclude();
}

/// On a preemptible kernel a thread may be taken off its CPU inside a program of pintrace, which keeps others there out of
/// it. Nothing keeps them out of bpftrace's: a kprobe is not preempted.
#[test]
fn bpftrace_sums_the_same_for_threads_that_pin_at_once_or_what_is_missing_is_counted() {
    let (report, sums, mut findings) = compared(|| pinload("io-uring --threads 16"));
    let shown = report.acquired_by_thread();
    let skipped = number(&report.document["loss"]["recursion_missed"]);
    if skipped == 0 {
        report.check(&mut findings);
        findings.same("acquired by thread", shown, sums.acquired);
        return findings.conclude();
    }
    println!("{skipped} calls were skipped by the kernel and counted");
    let mut missing = 0;
    for (thread, pages) in &sums.acquired {
        let pages_shown = shown.get(thread).copied().unwrap_or(0);
        findings.holds(pages_shown <= *pages, "no more than bpftrace saw");
        missing += pages.saturating_sub(pages_shown);
    }
    let known = shown.keys().all(|thread| sums.acquired.contains_key(thread));
    findings.holds(known, "no thread that bpftrace did not see");
    // The report says how much that is, and why.
    let told =
        report.balance("vmstat_acquired") - report.balance("gup_retry") - report.balance("ledger_acquired");
    findings.same("missing", missing, u64::try_from(told).unwrap());
    findings.holds(missing <= skipped * CALL, "no more is missing than was skipped");
    findings.conclude();
}
