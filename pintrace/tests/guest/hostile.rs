//! A hostile user without privileges: whatever the user does, the memory of pintrace stays bounded, the figures of other
//! users stay right to the page, and their findings are shown.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::harness::{Checks, Pinload, Report, kernel_at_least, left_out, number, wait_for};
use super::recording::Recording;
use super::robust_kit::{Running, pintrace};

/// Runs a command as a user without privileges. The full path, because setpriv of busybox lacks options.
const AS_USER: &str = "/usr/bin/setpriv --reuid=1000 --regid=1000 --clear-groups";
/// Pages that the other user holds during the attacks.
const VICTIM: u64 = 512;
/// Limit of the attacks of many operations; under emulation an operation takes milliseconds.
const LIMIT: &str = "100s";
/// Most memory by which an attack may enlarge pintrace, in KiB.
const GROWTH: u64 = 64 << 10;

/// Returns the resident memory of a process in KiB, and its peak.
fn resident(pid: u32) -> (u64, u64) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    (field("VmRSS:"), field("VmHWM:"))
}

/// Runs an attack, and returns the line with what it did.
fn attack(words: &str) -> Value {
    attack_by(&format!("exec {AS_USER} pinload hostile {words}"))
}

fn attack_by(script: &str) -> Value {
    let output = Command::new("sh")
        .args(["-c", script])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{script}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

/// A recording during the attacks, beside a user who holds pins.
struct Scene {
    recording: Recording,
    victim: Pinload,
    victim_pid: u64,
    /// Resident memory of pintrace before the attacks, in KiB.
    before: u64,
    checks: Checks,
}

impl Scene {
    fn new() -> Self {
        let recording = Recording::start("hostile");
        let (victim, ready) = Pinload::hold(&format!("io-uring --pages {VICTIM} --name victim"), 1);
        let pid = u32::try_from(recording.pid()).unwrap();
        Self {
            before: resident(pid).0,
            recording,
            victim,
            victim_pid: number(&ready[0]["pid"]),
            checks: Checks::default(),
        }
    }

    /// Checks after an attack. Returns the report.
    fn check(&mut self, name: &str, line: &Value) -> Report {
        // Another user changes pinned memory at the same time.
        let played = Command::new("pinload")
            .args(["scenario", "unmap-remap", "--pages", "16"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(played.status.success());
        let first = String::from_utf8_lossy(&played.stdout);
        let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
        let subject = number(&first["pid"]);
        let finds = |report: &Report| {
            let findings = report.document["findings"].as_array().unwrap();
            findings
                .iter()
                .any(|finding| finding["pid"] == subject && finding["kind"] == "mapping-touched")
        };
        let report = self
            .recording
            .once("the finding, and no unaccounted page", |report| {
                finds(report) && report.balance("unaccounted") == 0
            });
        let (resident, peak) = resident(u32::try_from(self.recording.pid()).unwrap());
        let loss: Vec<_> = report.document["loss"].as_object().unwrap().iter().collect();
        let loss: Vec<_> = loss.into_iter().filter(|(_, count)| number(count) > 0).collect();
        println!(
            "{name}: {} repetitions; resident {resident} KiB, before the attacks {}, peak {peak}; loss {loss:?}",
            line["done"], self.before
        );
        self.checks.about(name);
        report.check_held(&mut self.checks);
        let balance = |key| report.balance(key);
        self.checks.same(
            "balance.vmstat_acquired",
            balance("vmstat_acquired"),
            balance("ledger_acquired") + balance("gup_retry") - balance("not_in_vmstat"),
        );
        self.checks.same(
            "pages of the other user",
            report.figure(self.victim_pid, "pages_held"),
            VICTIM,
        );
        self.checks.holds(
            resident < self.before + GROWTH,
            &format!("{resident} KiB are bounded"),
        );
        report
    }
}

#[test]
#[ignore = "takes minutes"]
fn other_users_are_shown_exactly_during_each_attack() {
    // The kernel may pin twice for a direct read of a page that it has not yet written to the disk.
    let mut file = File::create("/mnt/hostile.dat").unwrap();
    file.write_all(&[1; 8192]).unwrap();
    file.sync_all().unwrap();
    let mut scene = Scene::new();

    let line = attack(&format!("registrations --count 50000 --limit {LIMIT}"));
    let report = scene.check("registrations", &line);
    let pid = number(&line["pid"]);
    scene.checks.same(
        "pages acquired",
        report.figure(pid, "acquired"),
        number(&line["pinned"]),
    );
    scene
        .checks
        .same("pages held", report.figure(pid, "pages_held"), 0);

    let line = attack(&format!("protect --count 50000 --limit {LIMIT}"));
    let report = scene.check("protect", &line);
    let pid = number(&line["pid"]);
    scene
        .checks
        .same("pages acquired", report.figure(pid, "acquired"), 1);
    let changes = report.document["findings"].as_array().unwrap();
    let changes = changes.iter().filter(|finding| finding["pid"] == pid).count();
    scene.checks.holds(
        changes < 100,
        &format!("{changes} findings of the attacker are bounded"),
    );

    let line = attack(&format!(
        "threads --count 16384 --file /mnt/hostile.dat --limit {LIMIT}"
    ));
    let report = scene.check("threads", &line);
    if kernel_at_least(6, 5) {
        let pid = number(&line["pid"]);
        scene.checks.same(
            "pages acquired",
            report.figure(pid, "acquired"),
            number(&line["pinned"]),
        );
    } else {
        left_out(
            "the pins of direct I/O",
            &"direct I/O takes references before 6.5",
        );
    }

    let line = attack(&format!("names --count 10000 --limit {LIMIT}"));
    scene.check("names", &line);

    let line = fork_bomb();
    scene.check("fork-bomb", &line);

    scene.victim.end();
    scene.recording.finish();
    let report = pintrace(&["report", "/tmp/hostile.pintrace"]).stdout;
    scene.checks.about("report");
    scene.checks.same(
        "a character that controls a terminal",
        hostile_character(&report),
        None,
    );
    scene.checks.conclude();
}

/// Forks in a control group with at most 200 processes, until all have ended.
fn fork_bomb() -> Value {
    const GROUP: &str = "/sys/fs/cgroup/bomb";
    fs::create_dir(GROUP).unwrap();
    fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+pids").unwrap();
    fs::write(format!("{GROUP}/pids.max"), "200").unwrap();
    let line = attack_by(&format!(
        "echo $$ >{GROUP}/cgroup.procs; exec {AS_USER} pinload hostile fork-bomb --count 10000 --limit 20s"
    ));
    wait_for("the end of all processes", || {
        let processes = fs::read_to_string(format!("{GROUP}/cgroup.procs")).unwrap();
        processes.is_empty().then_some(())
    });
    fs::remove_dir(GROUP).unwrap();
    line
}

/// Returns the first character that controls a terminal or the direction of text.
fn hostile_character(text: &str) -> Option<char> {
    text.chars().find(|&char| {
        (char.is_control() && char != '\n')
            || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    })
}

#[test]
#[ignore = "takes minutes"]
fn the_memory_of_serve_does_not_grow_with_the_processes_of_a_hostile_user() {
    let serve = Running::start(&[
        "serve",
        "--web.listen-address",
        "127.0.0.1:9967",
        "--interval",
        "200ms",
    ]);
    serve.wait_for_stderr("serving");
    // The first processes fill what serve keeps.
    attack("names --count 300 --limit 20s");
    let (before, _) = resident(serve.pid());
    let line = attack(&format!("names --count 10000 --limit {LIMIT}"));
    let (after, peak) = resident(serve.pid());
    println!(
        "serve: {} processes; resident {before} KiB before, {after} after, peak {peak}",
        line["done"]
    );
    assert!(after < before + (8 << 10), "{after} KiB after {before} KiB");
    serve.signal(Signal::TERM);
    assert_eq!(serve.end().code, 0);
}
