//! The cases of holders: the processes that they name, and the ends of these processes.

use std::fs;

use serde_json::Value;

use crate::session::{HoldingPinload, command, exclusive, is_alive, pid, root, run, shared, wait_for};

pub(crate) const ALL: [&str; 16] = [
    "half-unmapped",
    "ring-kept-by-mapping",
    "registered-ring",
    "shared-umem",
    "shared-memory",
    "zombie-leader",
    "sparse-table",
    "no-mmap-ring",
    "buffer-ring",
    "passed-ring",
    "in-flight-ring",
    "in-flight-socket",
    "duplicated",
    "execed",
    "idle-descriptors",
    "many-owners",
];

/// Starts a case and returns its line `ready`. `None` if the machine does not offer the case.
pub(crate) fn start(case: &str) -> Option<(HoldingPinload, Value)> {
    let mut pinload = HoldingPinload::start(&format!("holder {case}"));
    let line = pinload.line();
    if line["event"] == "ready" {
        return Some((pinload, line));
    }
    assert_eq!(
        (&line["event"], &line["code"]),
        (&"error".into(), &3.into()),
        "{line}"
    );
    println!("left out: {case}: {}", line["what"]);
    assert_eq!(pinload.end().code(), Some(3), "{case}");
    None
}

/// Returns the pids of the processes with pins, and of those without.
fn pids(ready: &Value) -> (Vec<i32>, Vec<i32>) {
    let held = ready["held"].as_array().unwrap().iter().map(pid);
    let innocent = ready["innocent"].as_array().unwrap().iter();
    let innocent = innocent.map(|pid| i32::try_from(pid.as_i64().unwrap()).unwrap());
    (held.collect(), innocent.collect())
}

/// Returns true if a thread of the process runs. Its first thread may have ended.
fn runs(pid: i32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    let tids = threads.filter_map(|thread| thread.ok()?.file_name().to_str()?.parse().ok());
    tids.into_iter().any(is_alive)
}

/// Returns the descriptors of a process that lead to an io_uring.
fn rings(pid: i32) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets
        .filter(|target| target.to_str() == Some("anon_inode:[io_uring]"))
        .count()
}

/// Other programs on this machine may pin during the test, so the test repeats a run with a difference.
#[test]
fn each_case_holds_as_many_pins_as_vmstat_counts() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    for case in ALL {
        for attempt in 1.. {
            let (output, lines) = run(&format!("holder {case} --verify"));
            match output.status.code() {
                Some(3) => println!("left out: {case}: {}", lines[0]["what"]),
                Some(0) => {
                    assert_eq!(lines.len(), 1, "{lines:#?}");
                    assert_eq!(
                        (&lines[0]["event"], &lines[0]["case"]),
                        (&"ready".into(), &case.into())
                    );
                    assert_eq!(lines[0]["vmstat"]["held"], lines[0]["pinned"], "{lines:#?}");
                }
                code => {
                    assert!(attempt < 3 && code == Some(4), "{case}: {lines:#?}");
                    continue;
                }
            }
            break;
        }
    }
}

#[test]
fn each_case_is_in_the_help() {
    let help = command("holder --help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let names = help
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("- ")?.split_once(':')?.0));
    assert!(names.eq(ALL), "{help}");
}

#[test]
fn the_processes_of_a_case_end_with_its_input() {
    let _together = shared();
    for (pinload, ready) in ALL.into_iter().filter_map(start) {
        let (held, innocent) = pids(&ready);
        let all = [held, innocent].concat();
        assert!(all.iter().all(|&pid| runs(pid)), "{ready}");
        assert!(pinload.end().success(), "{ready}");
        assert!(!all.iter().any(|&pid| runs(pid)), "{ready}");
    }
}

#[test]
fn the_processes_of_a_killed_case_die() {
    let _together = shared();
    for (mut pinload, ready) in ALL.into_iter().filter_map(start) {
        let (held, innocent) = pids(&ready);
        pinload.child.kill().unwrap();
        pinload.child.wait().unwrap();
        let all = [held, innocent].concat();
        assert!(wait_for(|| !all.iter().any(|&pid| runs(pid))), "{ready}");
    }
}

#[test]
fn a_ring_is_open_where_the_case_says() {
    let _together = shared();
    for (case, of_holder, of_innocent) in [
        ("ring-kept-by-mapping", 0, &[0_usize, 1] as &[_]),
        ("registered-ring", 0, &[]),
        ("shared-memory", 1, &[0]),
        ("sparse-table", 1, &[]),
        ("no-mmap-ring", 1, &[]),
        ("passed-ring", 1, &[0]),
        ("in-flight-ring", 0, &[0]),
        ("duplicated", 2, &[2]),
        ("execed", 1, &[]),
        ("idle-descriptors", 0, &[0, 1]),
        ("many-owners", 2, &[]),
    ] {
        let Some((pinload, ready)) = start(case) else {
            continue;
        };
        let (held, innocent) = pids(&ready);
        assert!(held.iter().all(|&pid| rings(pid) == of_holder), "{ready}");
        // A machine without a kind of descriptor has no innocent process for it.
        assert!(
            innocent.into_iter().all(|pid| of_innocent.contains(&rings(pid))),
            "{ready}"
        );
        assert!(pinload.end().success(), "{ready}");
    }
}

#[test]
fn the_first_thread_of_zombie_leader_has_ended() {
    let _together = shared();
    if let Some((pinload, ready)) = start("zombie-leader") {
        let holder = pid(&ready["held"][0]);
        assert!(!is_alive(holder) && runs(holder), "{ready}");
        assert!(pinload.end().success(), "{ready}");
    }
}

#[test]
fn the_child_of_execed_runs_a_new_program() {
    let _together = shared();
    if let Some((pinload, ready)) = start("execed") {
        let line = fs::read_to_string(format!("/proc/{}/cmdline", pid(&ready["held"][0]))).unwrap();
        assert!(line.contains("wait-for-parent"), "{line}");
        assert!(pinload.end().success(), "{ready}");
    }
}
