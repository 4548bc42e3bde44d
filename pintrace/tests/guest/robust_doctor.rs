//! `pintrace doctor` on a kernel that can be traced: each hook is attached or absent, and a second-best way says what it
//! costs.

use std::fs;
use std::sync::LazyLock;

use serde_json::Value;

use super::harness::{is_preemptible, kernel_at_least};
use super::robust_kit::{Before, json_of};

/// The diagnosis, made once.
fn diagnosis() -> &'static Value {
    static DIAGNOSIS: LazyLock<Value> = LazyLock::new(|| {
        let before = Before::now();
        let diagnosis = json_of(&["doctor", "--json"]);
        before.assert_nothing_is_left();
        diagnosis
    });
    &DIAGNOSIS
}

pub(crate) fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .unwrap()
        .trim()
        .to_owned()
}

fn hooks(diagnosis: &Value) -> &Vec<Value> {
    diagnosis["hooks"].as_array().unwrap()
}

fn in_kallsyms(function: &str) -> bool {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap();
    symbols
        .lines()
        .any(|line| line.split_whitespace().nth(2) == Some(function))
}

fn longterm_is_attached(diagnosis: &Value) -> bool {
    hooks(diagnosis)
        .iter()
        .any(|hook| hook["function"] == "__gup_longterm_locked" && hook["status"] == "attached")
}

/// Threads of these kernels are taken off their CPU inside the kernel or not, as the scheduler itself says.
#[test]
fn hooks_are_doubled_where_threads_can_be_taken_off_their_cpu_inside_them() {
    let diagnosis = diagnosis();
    let preemption = is_preemptible();
    assert_eq!(diagnosis["preemption"], preemption);
    for hook in hooks(diagnosis)
        .iter()
        .filter(|hook| hook["status"] == "attached")
    {
        let probes = hook["methods"].to_string().contains("kprobe");
        assert_eq!(hook["has_backups"], preemption && !probes, "{hook}");
    }
}

#[test]
fn every_hook_is_attached_or_its_function_is_absent() {
    let diagnosis = diagnosis();
    assert_eq!(diagnosis["kernel"], release());
    assert_eq!(
        (&diagnosis["tried"], &diagnosis["can_trace"]),
        (&true.into(), &true.into())
    );
    assert_eq!(diagnosis["problems"], Value::Array(Vec::new()));
    assert!(hooks(diagnosis).len() > 10, "{diagnosis}");
    for hook in hooks(diagnosis) {
        let function = hook["function"].as_str().unwrap();
        let methods = hook["methods"].as_array().unwrap();
        match hook["status"].as_str().unwrap() {
            "attached" => assert!(!methods.is_empty(), "{hook}"),
            // Only what stands in for another hook, which must then be attached.
            "not_needed" => assert!(methods.is_empty() && longterm_is_attached(diagnosis), "{hook}"),
            "absent" => assert!(methods.is_empty() && !in_kallsyms(function), "{hook}"),
            _ => panic!("{hook}"),
        }
    }
}

/// One page of doctor's own, through process_vm_readv.
#[test]
fn the_self_test_sees_its_own_pin_and_vmstat_agrees() {
    let test = &diagnosis()["self_test"];
    assert_eq!(test["passed"], true, "{test}");
    assert_eq!(
        (&test["pinned"], &test["released"]),
        (&1.into(), &1.into()),
        "{test}"
    );
    assert_eq!(test["unaccounted"], 0, "{test}");
}

/// Root, with everything that a capability could give.
#[test]
fn a_system_that_allows_everything_has_nothing_to_mend() {
    let environment = diagnosis()["environment"].as_array().unwrap();
    assert!(environment.len() > 8, "{environment:?}");
    for check in environment {
        assert!(
            ["good", "unknown"].contains(&check["state"].as_str().unwrap()),
            "{check}"
        );
    }
}

#[test]
fn a_second_best_way_says_why_and_what_it_costs() {
    let diagnosis = diagnosis();
    let of = |function: &str| {
        hooks(diagnosis)
            .iter()
            .find(|hook| hook["function"] == function)
            .unwrap()
    };
    for hook in hooks(diagnosis)
        .iter()
        .filter(|hook| hook["status"] == "attached")
    {
        let best = !hook["methods"].to_string().contains("kretprobe");
        assert_eq!(best, hook["lost"] == "", "{hook}");
        assert_eq!(best, hook["why"] == "", "{hook}");
    }
    // On 5.10 and 6.1 the function has more arguments than a trampoline carries.
    let remote = of("pin_user_pages_remote");
    let probed = remote["methods"].to_string().contains("kretprobe");
    assert_eq!(probed, !kernel_at_least(6, 2), "{remote}");
    if probed {
        assert!(remote["methods"].to_string().contains("\"kprobe\""), "{remote}");
        assert!(
            remote["lost"].as_str().unwrap().contains("probe_missed"),
            "{remote}"
        );
    }
}
