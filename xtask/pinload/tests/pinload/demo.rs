//! The demo starts its workloads, and leaves no process behind.

use std::fs;
use std::process::Stdio;

use crate::session::{command, file, is_alive, shared, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Returns all descendants of `root`.
fn descendants(root: i32) -> Vec<i32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        if parent == Some(root) {
            found.push(pid);
            found.extend(descendants(pid));
        }
    }
    found
}

fn demo_ends_by(signal: Signal) -> Option<i32> {
    let line = format!("demo --quiet --file {}", file("demo.dat").display());
    let mut demo = command(&line).stdout(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(demo.id()).unwrap();
    assert!(wait_for(|| descendants(pid).len() >= 3));
    let children = descendants(pid);
    kill(Pid::from_raw(pid), signal).unwrap();
    let status = demo.wait().unwrap();
    assert!(wait_for(|| !children.iter().any(|&child| is_alive(child))));
    status.code()
}

#[test]
fn a_signal_ends_the_demo_and_all_its_children() {
    let _together = shared();
    assert_eq!(demo_ends_by(Signal::SIGTERM), Some(0));
    assert_eq!(demo_ends_by(Signal::SIGINT), Some(0));
}

#[test]
fn a_killed_demo_leaves_no_child() {
    let _together = shared();
    assert_eq!(demo_ends_by(Signal::SIGKILL), None);
}
