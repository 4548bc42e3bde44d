//! Memory on a second NUMA node, beyond the range that one GiB of struct pages covers. `cargo xtask test` gives the
//! full flavours such memory.

use std::fs;

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
