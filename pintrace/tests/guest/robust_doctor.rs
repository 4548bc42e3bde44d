//! `pintrace doctor` on a kernel that can be traced: each hook is attached or absent, and a fallback names its costs.

use std::fs;
use std::sync::LazyLock;

use serde_json::Value;

use super::harness::{is_preemptible, kernel_at_least};
use super::robust_kit::{Before, json_of};

/// Returns the output of doctor, which runs once.
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

fn is_for_findings(hook: &Value) -> bool {
    let purposes = ["copy", "fork", "mapping", "window", "reference"].map(Value::from);
    let of_hook = hook["purposes"].as_array().unwrap();
    of_hook.iter().any(|purpose| purposes.contains(purpose))
}

fn longterm_is_attached(diagnosis: &Value) -> bool {
    hooks(diagnosis)
        .iter()
        .any(|hook| hook["function"] == "__gup_longterm_locked" && hook["status"] == "attached")
}

/// Compares doctor with the preemption model that the scheduler reports.
#[test]
fn hooks_have_backup_programs_on_preemptible_kernels() {
    let diagnosis = diagnosis();
    let preemption = is_preemptible();
    assert_eq!(diagnosis["preemption"], preemption);
    // Where programs can stay on their CPU, the finding hooks need no backups.
    let stays = ["bpf_local_irq_save", "bpf_preempt_disable"].map(in_kallsyms) == [true; 2];
    for hook in hooks(diagnosis)
        .iter()
        .filter(|hook| hook["status"] == "attached")
    {
        // A skipped hook on an execve leaves the old name of the process until the next sample, and loses no page.
        let is_exec = hook["function"] == "sched_process_exec";
        let probes = is_exec || hook["methods"].to_string().contains("kprobe");
        let one_copy = is_for_findings(hook) && stays;
        // A skipped hook of these purposes loses no page, and is counted as `calls_missed`.
        let counts_none = ["time", "register"].map(|purpose| hook["purposes"][0] == purpose) != [false; 2];
        let has_backups = preemption && !probes && !one_copy && !counts_none;
        assert_eq!(hook["has_backups"], has_backups, "{hook}");
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
            // A hook is not needed only if `__gup_longterm_locked` is attached.
            "not_needed" => assert!(methods.is_empty() && longterm_is_attached(diagnosis), "{hook}"),
            "absent" => assert!(methods.is_empty() && !in_kallsyms(function), "{hook}"),
            _ => panic!("{hook}"),
        }
    }
}

/// The self-test pins one page of doctor itself, through process_vm_readv.
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

/// Runs as root with all capabilities.
#[test]
fn a_system_without_restrictions_has_no_weak_check() {
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
fn a_fallback_method_has_a_reason_and_names_its_costs() {
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
        // No trampoline reaches the functions of modules that register memory.
        let first_is_kretprobe = hook["purposes"] == serde_json::json!(["register"]);
        let best = first_is_kretprobe || !hook["methods"].to_string().contains("kretprobe");
        assert_eq!(best, hook["lost"] == "", "{hook}");
        assert_eq!(best, hook["why"] == "", "{hook}");
    }
    // On 5.10 and 6.1 the function has more arguments than a trampoline supports.
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
