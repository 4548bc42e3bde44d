//! What pintrace may do: root gives up what it needs no more, and another user with a few capabilities sees the same.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::harness::{Findings, Report, number};
use super::robust_kit::{Before, Ended, Running, path, report};

/// CAP_BPF (include/uapi/linux/capability.h).
const KEPT: u64 = 1 << 39;
/// CAP_KILL besides, for the command's sake.
const KEPT_WITH_COMMAND: u64 = KEPT | 1 << 5;
/// What docs/privileges.md asks for.
const ALL: &str = "+bpf,+perfmon,+syslog,+dac_read_search,+sys_resource";
/// Where kprobes are needed, Debian refuses them at its own level 3.
const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

/// Every thread's capabilities, and whether it can get more.
fn privileges(pid: u32) -> Vec<(u64, u64, String)> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    threads
        .map(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).unwrap();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                line.trim().to_owned()
            };
            let set = |name: &str| u64::from_str_radix(&field(name), 16).unwrap();
            (set("CapPrm:"), set("CapEff:"), field("NoNewPrivs:"))
        })
        .collect()
}

fn assert_given_up(pid: u32, kept: u64) {
    let privileges = privileges(pid);
    assert!(!privileges.is_empty());
    for thread in privileges {
        assert_eq!(thread, (kept, kept, "1".to_owned()));
    }
}

#[test]
fn what_only_attaching_needs_is_given_up_by_every_thread() {
    let before = Before::now();
    let serve = Running::start(&["serve", "--web.listen-address", "127.0.0.1:9965"]);
    serve.wait_until_said("serving");
    assert_given_up(serve.pid(), KEPT);
    serve.signal(Signal::TERM);
    assert_eq!(serve.end().code, 0);

    let record = Running::start(&[
        "record",
        "--force",
        "-o",
        "/tmp/privileges.pintrace",
        "--",
        "sh",
        "-c",
        "grep -E '^Cap(Eff|Prm)|^NoNewPrivs' /proc/self/status; exec sleep 60",
    ]);
    super::robust_kit::wait_for("the command", || record.printed().contains("NoNewPrivs"));
    assert_given_up(record.pid(), KEPT_WITH_COMMAND);
    // The command has what root has.
    let printed = record.printed();
    assert!(printed.contains("NoNewPrivs:\t0"), "{printed}");
    let effective = printed
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .unwrap();
    let effective = u64::from_str_radix(effective.trim(), 16).unwrap();
    assert!(effective & (1 << 21) != 0, "{printed}");
    record.signal(Signal::TERM);
    // The command's: killed by the signal that was passed on.
    assert_eq!(record.end().code, 128 + 15);
    before.assert_nothing_is_left();
}

/// pintrace as user 1000 with these capabilities.
fn unprivileged(capabilities: &str, words: &[&str]) -> Ended {
    // By its path: busybox has one that can do less.
    let mut command = Command::new("/usr/bin/setpriv");
    command
        .args(["--reuid=1000", "--regid=1000", "--clear-groups"])
        .arg(format!("--inh-caps={capabilities}"))
        .arg(format!("--ambient-caps={capabilities}"))
        .arg("pintrace")
        .args(words)
        .stdin(Stdio::null());
    Running::start_with(&mut command).end()
}

/// What is weak by doctor's judgement.
fn weak(doctor: &Value) -> Vec<&str> {
    let environment = doctor["environment"].as_array().unwrap();
    let weak = environment.iter().filter(|check| check["state"] == "weak");
    weak.map(|check| {
        assert!(!check["remedy"].as_str().unwrap().is_empty(), "{check}");
        check["name"].as_str().unwrap()
    })
    .collect()
}

#[test]
fn another_user_with_the_capabilities_sees_what_root_sees_but_vmstat() {
    fs::write(PARANOID, "2").unwrap();
    let folder = path("unprivileged");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(1000), Some(1000)).unwrap();
    let file = folder.join("x.pintrace");
    let words = [
        "record",
        "-o",
        file.to_str().unwrap(),
        "--",
        "pinload",
        "io-uring",
        "--pages",
        "16",
    ];
    let ended = unprivileged(ALL, &words);
    assert_eq!(ended.code, 0, "{}", ended.said);
    let report = report(&file);
    let processes = report["processes"].as_array().unwrap();
    let pinload = processes
        .iter()
        .find(|process| process["comm"] == "pinload")
        .unwrap();
    let mut findings = Findings::default();
    findings.about("record");
    for figure in ["acquired", "released"] {
        findings.same(figure, number(&pinload[figure]), 16);
    }
    let text = report.to_string();
    findings.holds(text.contains("io_uring"), "a subsystem by name");
    Report { document: report }.check_loss(&mut findings);

    let ended = unprivileged(ALL, &["doctor", "--json"]);
    let doctor: Value = serde_json::from_str(&ended.out).unwrap();
    findings.about("doctor");
    findings.same("exit code", ended.code, 4);
    findings.same("weak", weak(&doctor), vec!["vmstat"]);
    findings.same("self-test", doctor["self_test"]["passed"].as_bool(), Some(true));
    findings.conclude();
}

#[test]
fn with_the_least_that_traces_pins_are_seen_and_what_is_missing_is_told() {
    fs::write(PARANOID, "2").unwrap();
    let ended = unprivileged("+bpf,+perfmon,+sys_resource", &["doctor", "--json"]);
    // Traced, and something is lost by what is missing.
    assert_eq!(ended.code, 4, "{}{}", ended.out, ended.said);
    let doctor: Value = serde_json::from_str(&ended.out).unwrap();
    let mut findings = Findings::default();
    findings.about("CAP_BPF and CAP_PERFMON");
    findings.same("self-test", doctor["self_test"]["passed"].as_bool(), Some(true));
    findings.same("pinned", number(&doctor["self_test"]["pinned"]), 1);
    findings.holds(
        doctor["self_test"]["unaccounted"].is_null(),
        "the vmstat counters unread",
    );
    findings.same(
        "weak",
        weak(&doctor),
        vec!["CAP_SYSLOG", "CAP_DAC_READ_SEARCH", "symbols", "vmstat"],
    );
    findings.conclude();
}
