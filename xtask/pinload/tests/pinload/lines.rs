//! The JSON lines and the processes that they name.

use std::collections::HashSet;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use crate::session::{HoldingPinload, command, file, is_alive, pid, root, run, shared, wait_for};

#[test]
fn pins_are_held_until_a_line_arrives() {
    let _together = shared();
    let mut pinload = HoldingPinload::start("io-uring --pages 8");
    let ready = pinload.expect("ready");
    assert_eq!(ready["kind"], "io-uring");
    assert_eq!(ready["backing"], "small");
    assert_eq!(ready["pages"], 8);
    assert_eq!(pid(&ready), i32::try_from(pinload.child.id()).unwrap());
    assert_eq!(
        ready["expected_pins"],
        serde_json::json!({"acquired": 8, "held": 8, "released": 0})
    );
    assert!(ready["began_ns"].as_u64() <= ready["time_ns"].as_u64());
    assert!(pinload.child.try_wait().unwrap().is_none());
    pinload.resume();
    let released = pinload.expect("released");
    assert_eq!(released["address"], ready["address"]);
    assert_eq!(
        released["expected_pins"],
        serde_json::json!({"acquired": 8, "held": 0, "released": 8})
    );
    assert!(pinload.end().success());
}

#[test]
fn threads_and_children_have_separate_ids() {
    let _together = shared();
    let (_, lines) = run("io-uring --pages 4 --threads 3");
    let ready = lines.iter().filter(|line| line["event"] == "ready");
    let (pids, tids): (HashSet<_>, HashSet<_>) = ready
        .map(|line| (line["pid"].as_i64(), line["tid"].as_i64()))
        .unzip();
    assert_eq!((pids.len(), tids.len()), (1, 3));

    let mut pinload = HoldingPinload::start("io-uring --pages 4 --fork-child");
    let (parent, child) = (pinload.expect("ready"), pinload.expect("ready"));
    assert_ne!(pid(&parent), pid(&child));
    pinload.resume();
    assert_eq!(pid(&pinload.expect("released")), pid(&child));
    assert_eq!(pid(&pinload.expect("released")), pid(&parent));
    assert!(pinload.end().success());
}

#[test]
fn shared_memory_has_one_address_and_two_holders() {
    let _together = shared();
    let mut pinload = HoldingPinload::start("io-uring --pages 4 --shared-memory");
    let (parent, child) = (pinload.expect("ready"), pinload.expect("ready"));
    assert_eq!(parent["address"], child["address"]);
    assert_ne!(pid(&parent), pid(&child));
    assert!(pinload.end().success());
}

#[test]
fn pins_through_an_inherited_ring_outlive_their_process() {
    let _together = shared();
    let mut pinload = HoldingPinload::start("io-uring --pages 4 --shared-ring --release kill");
    let ready = pinload.expect("ready");
    let owner = i64::from(pinload.child.id());
    assert_eq!(ready["ring_owner_pid"].as_i64(), Some(owner));
    assert_ne!(ready["pid"].as_i64(), Some(owner));
    pinload.resume();
    pinload.expect("releasing");
    let outlived = pinload.expect("outlived");
    assert_eq!(outlived["expected_pins"]["held"], 4);
    assert!(!is_alive(pid(&ready)));
    pinload.resume();
    assert_eq!(pinload.expect("released")["expected_pins"]["held"], 0);
    assert!(pinload.end().success());
}

#[test]
fn the_children_of_a_killed_holder_die() {
    let _together = shared();
    let mut pinload = HoldingPinload::start("process-vm --pages 4");
    let target = pinload.expect("ready")["target_pid"]
        .as_i64()
        .and_then(|pid| i32::try_from(pid).ok())
        .unwrap();
    assert!(is_alive(target));
    pinload.child.kill().unwrap();
    pinload.child.wait().unwrap();
    assert!(wait_for(|| !is_alive(target)));
}

#[test]
fn release_by_kill_ends_pinload_with_sigkill() {
    let _together = shared();
    let (output, lines) = run("io-uring --pages 4 --release kill");
    assert_eq!(output.status.signal(), Some(9));
    assert_eq!(lines.last().unwrap()["event"], "releasing");
}

#[test]
fn discarded_pages_have_new_frames() {
    let _together = shared();
    if !root() {
        return;
    }
    let (_, lines) = run("io-uring --pages 4 --change madvise-dontneed");
    assert_eq!(lines[1]["event"], "changed");
    assert_eq!(lines[1]["change"]["pages_changed"], 4);
}

#[test]
fn a_closed_output_is_no_failure() {
    let _together = shared();
    let mut child = command("io-uring --pages 4 --hold 300ms")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn an_existing_file_is_not_overwritten() {
    let _together = shared();
    let path = file("precious.dat");
    std::fs::write(&path, "precious").unwrap();
    let (output, lines) = run(&format!("direct-write --pages 1 --file {}", path.display()));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines[0]["event"], "error");
    assert!(lines[0]["remedy"].as_str().unwrap().contains("--overwrite"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_short_file_is_an_error_that_names_the_bytes() {
    let _together = shared();
    let path = file("short.dat");
    std::fs::write(&path, [0; 4096]).unwrap();
    let (output, lines) = run(&format!("direct-read --pages 2 --file {}", path.display()));
    assert_eq!(output.status.code(), Some(1));
    assert!(lines[0]["what"].as_str().unwrap().contains("4096 of 8192"));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_unavailable_kind_ends_with_code_3() {
    let _together = shared();
    // No test machine has this number of huge pages.
    let (output, lines) = run("io-uring --backing hugetlb --pages 60000000");
    assert_eq!(output.status.code(), Some(3), "{lines:?}");
    assert_eq!(lines[0]["code"], 3);
    let (output, _) = run("io-uring --pages 64 --buffers 3");
    assert_eq!(output.status.code(), Some(2));
}
