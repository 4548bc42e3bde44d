//! Privileges: root drops capabilities that are no longer needed, and another user with a few capabilities sees the
//! same as root.

use std::fs;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::harness::{Checks, Report, number, wait_for};
use super::robust_kit::{Before, Ended, Running, path, report};

/// CAP_BPF (include/uapi/linux/capability.h).
const KEPT: u64 = 1 << 39;
/// CAP_KILL in addition, to signal the command.
const KEPT_WITH_COMMAND: u64 = KEPT | 1 << 5;
/// The capabilities that docs/privileges.md asks for.
const ALL: &str = "+bpf,+perfmon,+syslog,+dac_read_search,+sys_resource";
/// Debian's level 3 of this sysctl refuses kprobes.
const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

/// Returns the permitted and effective capabilities and NoNewPrivs of each thread.
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
fn every_thread_drops_the_capabilities_that_only_attaching_needs() {
    let before = Before::now();
    let serve = Running::start(&["serve", "--web.listen-address", "127.0.0.1:9965"]);
    serve.wait_for_stderr("serving");
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
    wait_for("the command", || {
        record.stdout().contains("NoNewPrivs").then_some(())
    });
    assert_given_up(record.pid(), KEPT_WITH_COMMAND);
    // The command keeps the capabilities of root.
    let printed = record.stdout();
    assert!(printed.contains("NoNewPrivs:\t0"), "{printed}");
    let effective = printed
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .unwrap();
    let effective = u64::from_str_radix(effective.trim(), 16).unwrap();
    assert!(effective & (1 << 21) != 0, "{printed}");
    record.signal(Signal::TERM);
    // The exit code of the command, which the forwarded signal killed.
    assert_eq!(record.end().code, 128 + 15);
    before.assert_nothing_is_left();
}

/// Runs pintrace as user 1000 with the given capabilities.
fn unprivileged(capabilities: &str, words: &[&str]) -> Ended {
    // The full path, because setpriv of busybox lacks options.
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

/// Returns the names of the checks that doctor calls weak.
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
fn another_user_with_the_capabilities_sees_what_root_sees_except_vmstat() {
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
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let report = report(&file);
    let processes = report["processes"].as_array().unwrap();
    let pinload = processes
        .iter()
        .find(|process| process["comm"] == "pinload")
        .unwrap();
    let mut checks = Checks::default();
    checks.about("record");
    for figure in ["acquired", "released"] {
        checks.same(figure, number(&pinload[figure]), 16);
    }
    let text = report.to_string();
    checks.holds(text.contains("io_uring"), "a subsystem by name");
    Report { document: report }.check_loss(&mut checks);

    let ended = unprivileged(ALL, &["doctor", "--json"]);
    let doctor: Value = serde_json::from_str(&ended.stdout).unwrap();
    checks.about("doctor");
    checks.same("exit code", ended.code, 4);
    checks.same("weak", weak(&doctor), vec!["vmstat"]);
    checks.same("self-test", doctor["self_test"]["passed"].as_bool(), Some(true));
    checks.conclude();
}

#[test]
fn with_the_minimal_capabilities_pins_are_traced_and_restrictions_are_reported() {
    fs::write(PARANOID, "2").unwrap();
    let ended = unprivileged("+bpf,+perfmon,+sys_resource", &["doctor", "--json"]);
    // Tracing works with restrictions: exit code 4.
    assert_eq!(ended.code, 4, "{}{}", ended.stdout, ended.stderr);
    let doctor: Value = serde_json::from_str(&ended.stdout).unwrap();
    let mut checks = Checks::default();
    checks.about("CAP_BPF and CAP_PERFMON");
    checks.same("self-test", doctor["self_test"]["passed"].as_bool(), Some(true));
    checks.same("pinned", number(&doctor["self_test"]["pinned"]), 1);
    checks.holds(
        doctor["self_test"]["unaccounted"].is_null(),
        "the vmstat counters are unreadable",
    );
    checks.same(
        "weak",
        weak(&doctor),
        vec!["CAP_SYSLOG", "CAP_DAC_READ_SEARCH", "symbols", "vmstat"],
    );
    checks.conclude();
}
