//! The package for Debian and its units, on Debian with systemd as PID 1: `cargo xtask test --systemd`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::harness::{Pinload, number, wait_for, wait_within};
use super::robust_kit::{Before, json_of};

/// The package for Debian that `cargo xtask dist` makes.
const DEB: &str = "/usr/local/share/package.deb";
/// The folder of the drop-ins of an administrator.
const DROP_INS: &str = "/etc/systemd/system/pintrace.service.d";
const SERVICE: &str = "/usr/lib/systemd/system/pintrace.service";
const ADDRESS: &str = "127.0.0.1:9964";
/// Bound of a restart: `doctor` and the service load and attach all programs, each of which takes most of a minute under
/// emulation.
const RESTARTED_WITHIN: Duration = Duration::from_mins(5);
/// Pages that a process holds from before the start of the service.
const PAGES: u64 = 777;
/// CAP_BPF (include/uapi/linux/capability.h).
const KEPT: u64 = 1 << 39;
/// The numbers of the capabilities of the unit.
const CAPABILITIES: [(&str, u32); 6] = [
    ("CAP_DAC_READ_SEARCH", 2),
    ("CAP_SYS_PTRACE", 19),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_SYSLOG", 34),
    ("CAP_PERFMON", 38),
    ("CAP_BPF", 39),
];

/// Installs the package, as `apt install` of the file does after it has fetched what the package needs.
fn install() {
    let (installed, text) = run("dpkg", &["--install", DEB]);
    assert!(installed, "{text}");
}

/// Removes the package with its configuration and its recordings, and what an administrator has made beside it.
fn purge() {
    let (purged, text) = run("dpkg", &["--purge", "pintrace"]);
    assert!(purged && !text.contains("warning"), "{text}");
    let _ = fs::remove_dir_all(DROP_INS);
    systemctl(&["daemon-reload"]);
}

/// Adds a drop-in to the unit, as `systemctl edit` does.
fn drop_in(text: &str) {
    fs::create_dir_all(DROP_INS).unwrap();
    fs::write(Path::new(DROP_INS).join("test.conf"), text).unwrap();
    systemctl(&["daemon-reload"]);
}

/// Runs a program, and returns whether it succeeded and what it printed.
fn run(program: &str, words: &[&str]) -> (bool, String) {
    let output = Command::new(program)
        .args(words)
        .env("SYSTEMD_COLORS", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

fn systemctl(words: &[&str]) -> String {
    let (succeeded, text) = run("systemctl", words);
    assert!(succeeded, "systemctl {words:?}: {text}{}", journal());
    text
}

fn journal() -> String {
    run("journalctl", &["-u", "pintrace*", "--no-pager", "-n", "60"]).1
}

fn property(unit: &str, name: &str) -> String {
    let value = systemctl(&["show", unit, "--value", "-p", name]);
    value.trim().to_owned()
}

/// Returns whether the service starts with the system.
fn enabled() -> String {
    run("systemctl", &["is-enabled", "pintrace"]).1.trim().to_owned()
}

fn main_pid() -> u32 {
    property("pintrace", "MainPID").parse().unwrap()
}

/// Returns the metrics; `None` if nobody answers.
fn scrape() -> Option<String> {
    let mut stream = TcpStream::connect(ADDRESS).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}

/// Returns the pages that io_uring holds, by the metrics.
fn held() -> Option<u64> {
    let body = scrape()?;
    let line = body
        .lines()
        .find(|line| line.starts_with("pintrace_held_pages{") && line.contains(r#"subsystem="io_uring""#));
    line?.rsplit(' ').next()?.parse().ok()
}

fn status_of(pid: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.unwrap().trim().to_owned()
}

fn set_of(pid: u32, field: &str) -> u64 {
    u64::from_str_radix(&status_of(pid, field), 16).unwrap()
}

/// Checks that the service has the capabilities of its unit at most, and has given up all but CAP_BPF.
fn assert_confined(pid: u32) {
    let unit = fs::read_to_string(SERVICE).unwrap();
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let bits = line.unwrap().split_whitespace().map(|name| {
        let known = CAPABILITIES.iter().find(|(known, _)| *known == name);
        1_u64 << known.unwrap_or_else(|| panic!("{name}")).1
    });
    let of_unit = bits.fold(0, |all, bit| all | bit);
    assert_eq!(set_of(pid, "CapBnd:"), of_unit);
    assert_eq!((set_of(pid, "CapPrm:"), set_of(pid, "CapEff:")), (KEPT, KEPT));
    assert_eq!((set_of(pid, "CapInh:"), set_of(pid, "CapAmb:")), (0, 0));
    assert_eq!(status_of(pid, "NoNewPrivs:"), "1");
    assert_eq!(status_of(pid, "Seccomp:"), "2");
}

/// Waits until systemd has replaced a process and the new one answers.
fn wait_for_another(old: u32) -> u32 {
    let started = Instant::now();
    let another = wait_within(RESTARTED_WITHIN, || {
        let pid = main_pid();
        (pid != 0 && pid != old && scrape().is_some()).then_some(pid)
    });
    println!("restarted after {} s", started.elapsed().as_secs());
    another.unwrap_or_else(|| {
        panic!(
            "nobody answers: {}{}",
            systemctl(&["show", "pintrace"]),
            journal()
        )
    })
}

fn signal(word: &str) {
    systemctl(&["kill", "--kill-who=main", word, "pintrace"]);
}

/// Returns all files whose name contains the name of the program, outside the folders of the harness.
pub(crate) fn left_behind() -> String {
    let places = ["/etc", "/usr", "/var", "/run", "/tmp"];
    let words = [
        &places[..],
        &[
            "-path",
            "/usr/local",
            "-prune",
            "-o",
            "-name",
            "*pintrace*",
            "-print",
        ],
    ];
    run("find", &words.concat()).1
}

#[test]
#[ignore = "needs systemd: cargo xtask test --systemd"]
fn the_service_starts_is_scraped_is_restarted_with_the_same_pins_and_leaves_nothing() {
    let before = Before::now();
    assert_eq!(left_behind(), "");
    install();
    assert_eq!(enabled(), "disabled", "no package enables a service by itself");
    let (pinload, _) = Pinload::hold(&format!("io-uring --pages {PAGES}"), 1);
    drop_in("[Service]\nWatchdogSec=20s\n");
    fs::write("/etc/default/pintrace", "PINTRACE_OPTIONS=\"--interval 500ms\"\n").unwrap();
    systemctl(&["enable", "--now", "pintrace"]);
    // systemctl returns when the service is ready.
    let first = main_pid();
    assert_eq!(held(), Some(PAGES), "{}", journal());
    assert_confined(first);
    let arguments = fs::read_to_string(format!("/proc/{first}/cmdline")).unwrap();
    assert_eq!(arguments, "/usr/bin/pintrace\x00serve\x00--interval\x00500ms\x00");
    wait_for("the status", || {
        let status = systemctl(&["status", "pintrace"]);
        status
            .contains(&format!("Tracing: 1 process holds {PAGES} pages"))
            .then_some(())
    });
    let said = journal();
    for part in [
        "pins and releases can be traced",
        "sandbox: Landlock version",
        "serving http://",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    signal("--signal=KILL");
    let second = wait_for_another(first);
    assert_eq!(held(), Some(PAGES), "{}", journal());
    assert_confined(second);

    signal("--signal=STOP");
    let third = wait_for_another(second);
    assert!(journal().contains("watchdog"), "{}", journal());
    assert_eq!(held(), Some(PAGES), "{}", journal());
    assert_confined(third);

    // The same package once more is an upgrade, which restarts the service and keeps changed files.
    install();
    let fourth = wait_for_another(third);
    assert_eq!(held(), Some(PAGES), "{}", journal());
    let arguments = fs::read_to_string(format!("/proc/{fourth}/cmdline")).unwrap();
    assert!(arguments.contains("500ms"), "{arguments}");

    systemctl(&["stop", "pintrace"]);
    assert_eq!(property("pintrace", "Result"), "success", "{}", journal());
    before.assert_nothing_is_left();
    record();

    // A removal stops the service, and leaves the configuration and the recordings.
    systemctl(&["start", "pintrace"]);
    let (removed, text) = run("dpkg", &["--remove", "pintrace"]);
    assert!(removed, "{text}");
    assert_eq!(scrape(), None);
    before.assert_nothing_is_left();
    for kept in ["/etc/default/pintrace", "/var/lib/pintrace/night.pintrace"] {
        assert!(Path::new(kept).exists(), "{kept}");
    }
    pinload.kill();
    purge();
    assert_eq!(left_behind(), "");
}

/// The drop-in of docs/privileges.md: the service as another user, with the same capabilities.
#[test]
#[ignore = "needs systemd: cargo xtask test --systemd"]
fn the_service_runs_without_root_by_the_documented_drop_in() {
    install();
    let names = CAPABILITIES.map(|(name, _)| name).join(" ");
    drop_in(&format!(
        "[Service]\nDynamicUser=yes\nAmbientCapabilities={names}\n"
    ));
    let (pinload, _) = Pinload::hold(&format!("io-uring --pages {PAGES}"), 1);
    systemctl(&["start", "pintrace"]);
    let pid = main_pid();
    assert_eq!(held(), Some(PAGES), "{}", journal());
    assert_confined(pid);
    assert!(
        !status_of(pid, "Uid:").starts_with('0'),
        "{}",
        status_of(pid, "Uid:")
    );
    assert!(journal().contains("vm.stat_refresh"), "{}", journal());
    pinload.kill();
    purge();
    assert_eq!(left_behind(), "");
}

/// The unit that records: a recording that can be read, in a folder of root alone.
fn record() {
    systemctl(&["start", "pintrace-record@night"]);
    let (pinload, _) = Pinload::hold("io-uring --pages 32", 1);
    pinload.kill();
    systemctl(&["stop", "pintrace-record@night"]);
    let file = "/var/lib/pintrace/night.pintrace";
    let report = json_of(&["report", "--json", file]);
    let acquired = number(&report["balance"]["ledger_acquired"]);
    assert!(acquired >= 32, "{}", report["balance"]);
    assert_eq!(report["balance"]["unaccounted"], 0, "{}", report["balance"]);
    let (_, listed) = run("stat", &["-c", "%a %U", "/var/lib/pintrace"]);
    assert_eq!(listed.trim(), "700 root");
}

#[test]
#[ignore = "needs systemd: cargo xtask test --systemd"]
fn the_exposure_of_the_units_is_at_most_3() {
    install();
    for unit in ["pintrace.service", "pintrace-record@.service"] {
        let words = ["security", "--offline=true", "--threshold=30", "--no-pager"];
        let file = format!("/usr/lib/systemd/system/{unit}");
        let (passed, text) = run("systemd-analyze", &[&words[..], &[&file]].concat());
        println!("{}", text.lines().last().unwrap_or_default());
        assert!(passed, "{text}");
    }
    purge();
}
