//! Memory on a second NUMA node, beyond the range that one GiB of struct pages covers, and persistent memory.
//! `cargo xtask test` gives the full flavours such memory.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Checks, PAGE, Pinload, Started, number, skipped};
use crate::scan::Scan;

/// The first frame after 64 GiB, which one GiB of struct pages covers.
const FAR: u64 = (64 << 30) / PAGE;

/// Brings all memory blocks online. Debian's 6.1 leaves hotplugged memory offline.
fn bring_online() {
    for block in fs::read_dir("/sys/devices/system/memory").unwrap() {
        let state = block.unwrap().path().join("state");
        if fs::read_to_string(&state).is_ok_and(|state| state.trim() == "offline") {
            fs::write(&state, "online").unwrap();
        }
    }
}

#[test]
fn pins_on_a_second_node_at_high_addresses_are_found() {
    const NAME: &str = "pins_on_a_second_node_at_high_addresses_are_found";
    if !fs::exists("/sys/devices/system/node/node1").unwrap() {
        return skipped(NAME, &"this machine has one node");
    }
    bring_online();
    let far = "numactl --membind=1 pinload";
    let (pinload, ready) = match Pinload::start_by(far, "io-uring --pages 64", 1) {
        Started::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
        Started::Unavailable(why) => return skipped(NAME, &why),
    };
    let mut checks = Checks::default();
    let pid = number(&ready["pid"]);
    let scan = Scan::now();
    scan.check(&mut checks);
    checks.same("pages", scan.pages(pid), 64);
    let ranges = scan.process(pid)["ranges"].as_array().unwrap();
    checks.holds(!ranges.is_empty(), "ranges");
    for range in ranges {
        checks.holds(number(&range["pfn"]) >= FAR, "a frame above 64 GiB");
    }
    checks.holds(pinload.end().success(), "pinload's end");
    checks.conclude();
}

/// Returns the check of `doctor` on memory that is not scanned; `Null` if there is none.
fn doctor_check() -> Value {
    let output = Command::new("pintrace")
        .args(["doctor", "--json"])
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = document["environment"].as_array().unwrap().iter();
    let mut of_memory = checks.filter(|check| check["name"] == "device memory");
    of_memory.next().cloned().unwrap_or_default()
}

/// The control is each guest without persistent memory: nothing is said there.
#[test]
fn persistent_memory_is_counted_as_not_scanned() {
    let mut checks = Checks::default();
    let has_some = fs::read_to_string("/proc/iomem")
        .unwrap()
        .contains("Persistent Memory");
    checks.about(if has_some {
        "with persistent memory"
    } else {
        "without"
    });
    let scan = Scan::now();
    let expected = if has_some {
        json!([{"name": "Persistent Memory (legacy)", "pages": 4096}])
    } else {
        json!([])
    };
    checks.same("not_scanned", &scan.document["not_scanned"], &expected);
    let output = Command::new("pintrace").arg("scan").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let line = "not read: 16 MiB of Persistent Memory (legacy)";
    checks.same("the line of the text", text.contains(line), has_some);
    let check = doctor_check();
    let found = check["found"].as_str().unwrap_or_default();
    checks.same(
        "the check of doctor",
        found.starts_with("Persistent Memory (legacy) (16 MiB)"),
        has_some,
    );
    checks.conclude();
}
