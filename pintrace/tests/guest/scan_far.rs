//! Memory far away: on a second NUMA node, beyond what one GiB of struct pages covers. `cargo xtask test` gives the full
//! flavours some.

use std::fs;

use crate::harness::{Began, Findings, PAGE, Pinload, number, skipped};
use crate::scan::Scan;

/// 64 GiB: a GiB of struct pages covers no more.
const FAR: u64 = (64 << 30) / PAGE;

/// Debian's 6.1 leaves memory alone that comes with a device until it is told to use it.
fn bring_online() {
    for block in fs::read_dir("/sys/devices/system/memory").unwrap() {
        let state = block.unwrap().path().join("state");
        if fs::read_to_string(&state).is_ok_and(|state| state.trim() == "offline") {
            fs::write(&state, "online").unwrap();
        }
    }
}

#[test]
fn pins_on_a_second_node_far_away_are_found() {
    const NAME: &str = "pins_on_a_second_node_far_away_are_found";
    if !fs::exists("/sys/devices/system/node/node1").unwrap() {
        return skipped(NAME, &"this machine has one node");
    }
    bring_online();
    let far = "numactl --membind=1 pinload";
    let (pinload, ready) = match Pinload::begin_by(far, "io-uring --pages 64", 1) {
        Began::Ready(pinload, mut ready) => (pinload, ready.remove(0)),
        Began::Unavailable(why) => return skipped(NAME, &why),
    };
    let mut findings = Findings::default();
    let pid = number(&ready["pid"]);
    let scan = Scan::now();
    scan.check(&mut findings);
    findings.same("pages", scan.pages(pid), 64);
    let ranges = scan.process(pid)["ranges"].as_array().unwrap();
    findings.holds(!ranges.is_empty(), "ranges");
    for range in ranges {
        findings.holds(number(&range["pfn"]) >= FAR, "a frame far away");
    }
    findings.holds(pinload.end().success(), "pinload's end");
    findings.conclude();
}
