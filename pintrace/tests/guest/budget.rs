//! `--budget`: pintrace gives up detail in order, says so, and its totals stay exact.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use super::follow::Follower;
use super::harness::{Pinload, Report};
use super::own_cost::Enabled;
use super::robust_kit::{Before, Running, path};

/// Returns true if a hook of findings that the kernel calls often is attached.
fn traces_forks() -> bool {
    let functions = fs::read_to_string("/sys/kernel/tracing/enabled_functions").unwrap();
    functions.lines().any(|line| line.starts_with("copy_page_range "))
}

fn details(report: &Report) -> Vec<String> {
    let shed = report.document["shed"].as_array().unwrap().iter();
    shed.map(|one| one["detail"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn above_the_budget_detail_is_given_up_in_order_and_the_totals_stay_exact() {
    let before = Before::now();
    // With the kernel's statistics on, pintrace judges its cost each second.
    let _enabled = Enabled::new();
    let file = path("budget").with_extension("pintrace");
    let words = [
        "record",
        "--findings-from",
        "start",
        "--interval",
        "200ms",
        "--budget",
    ];
    let words = [&words[..], &["0.0001%", "-o", file.to_str().unwrap()]].concat();
    let recorder = Running::start(&words);
    let follower = Follower::start(&file);
    follower.once(1, "the first tick", |_| true);
    let (holder, _) = Pinload::hold("io-uring --pages 64", 1);
    let report = follower.once(0, "both details", |report| details(report).len() == 2);
    assert_eq!(details(&report), ["samples", "findings"]);
    let shed = &report.document["shed"][1];
    assert!(shed["cost_ppm"].as_u64() > shed["budget_ppm"].as_u64(), "{shed}");
    // One hook is detached at each tick.
    let mut ticks = follower.ticks();
    while traces_forks() {
        ticks += 1;
        assert!(ticks < follower.ticks() + 100, "the hooks stay");
        follower.once(ticks, "the detachment", |_| true);
    }
    assert!(holder.end().success());
    recorder.signal(Signal::INT);
    let ended = recorder.end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = follower.finish();
    assert_eq!(report.balance("unaccounted"), 0);
    assert_eq!(
        report.balance("ledger_acquired"),
        report.balance("vmstat_acquired")
    );
    assert_eq!(report.document["missing"], Value::Array(Vec::new()));
    before.assert_nothing_is_left();
}

#[test]
fn below_the_budget_nothing_is_given_up() {
    let _enabled = Enabled::new();
    let file = path("within").with_extension("pintrace");
    let words = ["record", "--findings-from", "start", "--budget", "100%", "-o"];
    let recorder = Running::start(&[&words[..], &[file.to_str().unwrap()]].concat());
    let follower = Follower::start(&file);
    // The cost of a guest with nothing to do is judged several times.
    let report = follower.once(5, "five ticks", |_| true);
    assert_eq!(details(&report), Vec::<String>::new());
    assert!(traces_forks());
    recorder.signal(Signal::INT);
    assert_eq!(recorder.end().code, 0);
    assert_eq!(details(&follower.finish()), Vec::<String>::new());
}
