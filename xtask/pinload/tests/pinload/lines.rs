//! The JSON lines, and who is named in them.

use std::collections::HashSet;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use crate::session::{Held, alive, command, eventually, file, pid, root, run, together};

#[test]
fn pins_are_held_until_a_line_arrives() {
    let _together = together();
    let mut held = Held::start("io-uring --pages 8");
    let ready = held.expect("ready");
    assert_eq!(ready["kind"], "io-uring");
    assert_eq!(ready["backing"], "small");
    assert_eq!(ready["pages"], 8);
    assert_eq!(pid(&ready), i32::try_from(held.child.id()).unwrap());
    assert_eq!(
        ready["expected_pins"],
        serde_json::json!({"acquired": 8, "held": 8, "released": 0})
    );
    assert!(ready["began_ns"].as_u64() <= ready["time_ns"].as_u64());
    assert!(held.child.try_wait().unwrap().is_none());
    held.go_on();
    let released = held.expect("released");
    assert_eq!(released["address"], ready["address"]);
    assert_eq!(
        released["expected_pins"],
        serde_json::json!({"acquired": 8, "held": 0, "released": 8})
    );
    assert!(held.end().success());
}

#[test]
fn threads_and_children_are_told_apart() {
    let _together = together();
    let (_, lines) = run("io-uring --pages 4 --threads 3");
    let ready = lines.iter().filter(|line| line["event"] == "ready");
    let (pids, tids): (HashSet<_>, HashSet<_>) = ready
        .map(|line| (line["pid"].as_i64(), line["tid"].as_i64()))
        .unzip();
    assert_eq!((pids.len(), tids.len()), (1, 3));

    let mut held = Held::start("io-uring --pages 4 --fork-child");
    let (parent, child) = (held.expect("ready"), held.expect("ready"));
    assert_ne!(pid(&parent), pid(&child));
    held.go_on();
    assert_eq!(pid(&held.expect("released")), pid(&child));
    assert_eq!(pid(&held.expect("released")), pid(&parent));
    assert!(held.end().success());
}

#[test]
fn shared_memory_has_one_address_and_two_holders() {
    let _together = together();
    let mut held = Held::start("io-uring --pages 4 --shared-memory");
    let (parent, child) = (held.expect("ready"), held.expect("ready"));
    assert_eq!(parent["address"], child["address"]);
    assert_ne!(pid(&parent), pid(&child));
    assert!(held.end().success());
}

#[test]
fn pins_through_an_inherited_ring_outlive_their_process() {
    let _together = together();
    let mut held = Held::start("io-uring --pages 4 --shared-ring --release kill");
    let ready = held.expect("ready");
    let owner = i64::from(held.child.id());
    assert_eq!(ready["ring_owner_pid"].as_i64(), Some(owner));
    assert_ne!(ready["pid"].as_i64(), Some(owner));
    held.go_on();
    held.expect("releasing");
    let outlived = held.expect("outlived");
    assert_eq!(outlived["expected_pins"]["held"], 4);
    assert!(!alive(pid(&ready)));
    held.go_on();
    assert_eq!(held.expect("released")["expected_pins"]["held"], 0);
    assert!(held.end().success());
}

#[test]
fn a_killed_holder_takes_its_children_with_it() {
    let _together = together();
    let mut held = Held::start("process-vm --pages 4");
    let target = held.expect("ready")["target_pid"]
        .as_i64()
        .and_then(|pid| i32::try_from(pid).ok())
        .unwrap();
    assert!(alive(target));
    held.child.kill().unwrap();
    held.child.wait().unwrap();
    assert!(eventually(|| !alive(target)));
}

#[test]
fn release_by_kill_is_a_kill() {
    let _together = together();
    let (output, lines) = run("io-uring --pages 4 --release kill");
    assert_eq!(output.status.signal(), Some(9));
    assert_eq!(lines.last().unwrap()["event"], "releasing");
}

#[test]
fn discarded_pages_are_new_pages() {
    let _together = together();
    if !root() {
        return;
    }
    let (_, lines) = run("io-uring --pages 4 --touch madvise-dontneed");
    assert_eq!(lines[1]["event"], "touched");
    assert_eq!(lines[1]["touch"]["pages_changed"], 4);
}

#[test]
fn a_gone_reader_is_no_failure() {
    let _together = together();
    let mut child = command("io-uring --pages 4 --hold 300ms")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn an_existing_file_is_not_overwritten() {
    let _together = together();
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
fn a_file_too_short_says_so() {
    let _together = together();
    let path = file("short.dat");
    std::fs::write(&path, [0; 4096]).unwrap();
    let (output, lines) = run(&format!("direct-read --pages 2 --file {}", path.display()));
    assert_eq!(output.status.code(), Some(1));
    assert!(lines[0]["what"].as_str().unwrap().contains("4096 of 8192"));
    std::fs::remove_file(path).unwrap();
}

#[test]
fn what_the_machine_lacks_ends_with_code_3() {
    let _together = together();
    // More huge pages than any machine that runs this has reserved.
    let (output, lines) = run("io-uring --backing hugetlb --pages 60000000");
    assert_eq!(output.status.code(), Some(3), "{lines:?}");
    assert_eq!(lines[0]["code"], 3);
    let (output, _) = run("io-uring --pages 64 --buffers 3");
    assert_eq!(output.status.code(), Some(2));
}
