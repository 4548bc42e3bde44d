//! The finding hooks of a session without a command wait for pins. The kernel's list of traced functions shows which
//! hooks are attached.
//!
//! Tests run by name. These must run before `not_in_vmstat`, after which the hooks of no session wait.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::atomic::Ordering;

use rustix::process::Signal;
use serde_json::Value;

use super::follow::Follower;
use super::harness::{Pinload, Report, number};
use super::not_in_vmstat::RELEASED_ONLY;
use super::recording::end_idle;
use super::robust_kit::{Before, Running, path};

/// Functions that a machine without pins calls all the time.
const FREQUENT: [&str; 4] = ["do_wp_page", "copy_page_range", "unmap_vmas", "tlb_finish_mmu"];

/// Returns those of [`FREQUENT`] that are traced.
fn traced() -> BTreeSet<&'static str> {
    let functions = fs::read_to_string("/sys/kernel/tracing/enabled_functions").unwrap();
    let names: BTreeSet<_> = functions
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    FREQUENT.into_iter().filter(|name| names.contains(name)).collect()
}

fn hooks(report: &Report) -> &Value {
    &report.document["finding_hooks"]
}

#[test]
fn finding_hooks_wait_for_pins_and_then_find() {
    assert_eq!(RELEASED_ONLY.load(Ordering::Relaxed), 0, "pins in no counter");
    end_idle();
    let before = Before::now();
    assert_eq!(traced(), BTreeSet::new());
    let file = path("waiting").with_extension("pintrace");
    let name = file.to_str().unwrap();
    let recorder = Running::start(&["record", "--interval", "100ms", "-o", name]);
    let follower = Follower::start(&file);
    // Control: several ticks without a pin attach nothing.
    let report = follower.once(5, "five ticks", |_| true);
    assert_eq!(traced(), BTreeSet::new(), "no memory has been pinned");
    assert_eq!(hooks(&report)["wait"], true);
    assert_eq!(hooks(&report)["late_ns"], Value::Null);

    let (holder, _) = Pinload::hold("io-uring --pages 64", 1);
    let report = follower.once(0, "the attachment of the hooks", |report| {
        hooks(report)["wait"] == false
    });
    assert_eq!(traced(), BTreeSet::from(FREQUENT));
    let late = number(&hooks(&report)["late_ns"]);
    assert!(late > 0 && late < 10_000_000_000, "{late} ns");

    // A finding after the attachment is seen, as in a session with all hooks from the start.
    let played = Command::new("pinload")
        .args(["scenario", "unmap-remap"])
        .output()
        .unwrap();
    assert!(played.status.success(), "{played:?}");
    let touched = |report: &Report| {
        let findings = report.document["findings"].as_array().unwrap().iter();
        findings
            .filter(|finding| finding["kind"] == "mapping-touched")
            .count()
    };
    follower.once(0, "the finding", |report| touched(report) == 1);
    assert!(holder.end().success());
    recorder.signal(Signal::INT);
    let ended = recorder.end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = follower.finish();
    assert_eq!(touched(&report), 1);
    assert_eq!(report.document["missing"], Value::Array(Vec::new()));
    before.assert_nothing_is_left();
}

/// Pins from before the session are pins too.
#[test]
fn finding_hooks_do_not_wait_if_memory_is_pinned_at_the_start() {
    let (holder, _) = Pinload::hold("io-uring --pages 64", 1);
    let file = path("preexisting").with_extension("pintrace");
    let recorder = Running::start(&["record", "--interval", "100ms", "-o", file.to_str().unwrap()]);
    let follower = Follower::start(&file);
    let report = follower.once(1, "the first tick", |_| true);
    assert_eq!(traced(), BTreeSet::from(FREQUENT));
    assert_eq!(hooks(&report)["wait"], false);
    assert!(holder.end().success());
    recorder.signal(Signal::INT);
    assert_eq!(recorder.end().code, 0);
    assert_eq!(follower.finish().document["complete"], true);
}
