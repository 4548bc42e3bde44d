//! The counts that pinload expects, compared with the counts of the kernel.

use serde_json::Value;

use crate::session::{command, exclusive, file, root, run, vmstat, wait_for};

/// Other programs on this machine may pin during the test, so the test repeats a run with a difference.
#[test]
fn every_kind_agrees_with_vmstat() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let line = format!("all --variants --verify --file {}", file("all.dat").display());
    for attempt in 1.. {
        let (output, lines) = run(&line);
        for check in lines.iter().filter(|check| check["result"] == "skipped") {
            println!("left out: {}: {}", check["workload"], check["reason"]);
        }
        let wrong: Vec<_> = lines
            .iter()
            .filter(|check| check["result"] == "differs" || check["result"] == "failed")
            .collect();
        if output.status.success() {
            assert!(wrong.is_empty(), "{wrong:#?}");
            assert!(lines.len() > 40);
            return;
        }
        assert!(attempt < 3, "{wrong:#?}");
    }
}

#[test]
fn a_vmstat_mismatch_ends_with_code_4() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    // Another process that pins continuously, which no workload expects.
    let mut other = command("process-vm --pages 16 --repeat 1000000000")
        .spawn()
        .unwrap();
    let before = vmstat("nr_foll_pin_acquired");
    assert!(wait_for(|| vmstat("nr_foll_pin_acquired") > before));
    // On a busy machine the other process may not run between the two readings of a short workload.
    let differs = |lines: &[Value]| lines[0]["vmstat"] != lines[0]["expected_pins"];
    let attempts = std::iter::repeat_with(|| run("vmsplice --verify")).take(50);
    let seen = attempts.into_iter().find(|(_, lines)| differs(lines));
    other.kill().unwrap();
    other.wait().unwrap();
    let (output, lines) = seen.expect("the other process has pinned during a workload");
    assert_eq!(output.status.code(), Some(4), "{lines:#?}");
    assert_eq!(lines.last().unwrap()["event"], "error");
    assert_eq!(lines.last().unwrap()["code"], 4);
}

#[test]
fn a_huge_page_has_one_pin_per_buffer_or_one_pin_per_page() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let (_, lines) = run("io-uring --backing hugetlb --reserve --pages 1536 --buffers 4 --verify");
    let held = lines[0]["vmstat"]["held"]
        .as_u64()
        .unwrap_or_else(|| panic!("{lines:#?}"));
    // Four buffers of 384 pages each on three huge pages: six pins if io_uring coalesces.
    assert!([6, 1536].contains(&held), "{held}");
}

#[test]
fn every_kind_of_exit_restores_the_setting_of_reserve() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let reserved = || std::fs::read_to_string("/proc/sys/vm/nr_hugepages").unwrap();
    let before = reserved();
    for release in ["explicit", "exit", "kill", "kill --verify"] {
        run(&format!(
            "io-uring --backing hugetlb --reserve --release {release}"
        ));
        assert!(wait_for(|| reserved() == before), "{release}: {}", reserved());
    }
}
