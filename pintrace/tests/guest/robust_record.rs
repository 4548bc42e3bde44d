//! `pintrace record` and its command: exit codes, signals, users.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;

use super::harness::wait_for;
use super::recording::NO_FINDINGS;
use super::robust_kit::{Before, Ended, Running, path, pintrace, report};

/// Returns the arguments of pintrace that record a shell script.
fn words<'a>(file: &'a Path, script: &'a str) -> [&'a str; 8] {
    let file = file.to_str().unwrap();
    ["record", NO_FINDINGS, "-o", file, "--", "sh", "-c", script]
}

/// Records a shell script to its end.
fn record(file: &Path, script: &str) -> Ended {
    pintrace(&words(file, script))
}

#[test]
fn a_recording_with_a_duration_ends_by_itself_and_is_complete() {
    let before = Before::now();
    let file = path("timed");
    let ended = pintrace(&["record", "-o", file.to_str().unwrap(), "--duration", "2s"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("lost: nothing"), "{}", ended.stderr);
    let json = report(&file);
    assert_eq!(json["complete"], true);
    let seconds = json["duration_ns"].as_f64().unwrap() / 1e9;
    assert!((1.9..20.0).contains(&seconds), "{seconds}");
    before.assert_nothing_is_left();
    a_mounted_file_is_refused_before_the_session(&file);
}

/// Mounts the file of a recording, as a container may get it, and records into the file again.
fn a_mounted_file_is_refused_before_the_session(file: &Path) {
    let bytes = fs::read(file).unwrap();
    rustix::mount::mount_bind(file, file).unwrap();
    let ended = pintrace(&["record", "-o", file.to_str().unwrap(), "--duration", "2s"]);
    rustix::mount::unmount(file, rustix::mount::UnmountFlags::empty()).unwrap();
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("is a mount point"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("detaching"), "{}", ended.stderr);
    assert!(fs::read(file).unwrap() == bytes);
}

#[test]
fn the_exit_code_is_the_commands() {
    let file = path("seven");
    let ended = record(&file, "exit 7");
    assert_eq!(ended.code, 7, "{}", ended.stderr);
    let json = report(&file);
    assert_eq!((&json["complete"], &json["exit_code"]), (&true.into(), &7.into()));
}

#[test]
fn a_command_killed_by_a_signal_gives_128_and_the_signal() {
    let file = path("signal");
    let ended = record(&file, "kill -9 $$");
    assert_eq!(ended.code, 137, "{}", ended.stderr);
    assert_eq!(report(&file)["complete"], true);
}

#[test]
fn sigterm_is_forwarded_to_the_command_and_the_file_is_complete() {
    let before = Before::now();
    let (file, signalled, ready) = (path("passed"), path("signalled"), path("ready"));
    let script = format!(
        "trap 'touch {}; exit 5' TERM; pinload process-vm >/dev/null; touch {}; while :; do sleep 0.1; done",
        signalled.display(),
        ready.display()
    );
    let recorder = Running::start(&words(&file, &script));
    wait_for("the command", || ready.exists().then_some(()));
    before.assert_something_is_there();
    recorder.signal(Signal::TERM);
    let ended = recorder.end();
    assert_eq!(ended.code, 5, "{}", ended.stderr);
    assert!(signalled.exists(), "the command got no signal");
    let json = report(&file);
    assert_eq!(json["complete"], true);
    assert_eq!(json["balance"]["ledger_acquired"], 64);
    before.assert_nothing_is_left();
}

#[test]
fn sigint_ends_a_recording_without_a_command_normally() {
    let before = Before::now();
    let file = path("interrupted");
    let recorder = Running::start(&["record", "-o", file.to_str().unwrap()]);
    before.wait_for_probes();
    recorder.signal(Signal::INT);
    let ended = recorder.end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(report(&file)["complete"], true);
    before.assert_nothing_is_left();
}

#[test]
fn under_sudo_the_command_runs_as_the_user_who_called_it() {
    let (file, ids) = (path("sudo"), path("ids"));
    fs::write(&ids, "").unwrap();
    fs::set_permissions(&ids, fs::Permissions::from_mode(0o666)).unwrap();
    let script = format!("echo $(id -u) $(id -g) $(id -G) >{}", ids.display());
    let mut command = Command::new("pintrace");
    command.args(words(&file, &script));
    command.env("SUDO_UID", "1000").env("SUDO_GID", "1000");
    let ended = Running::start_with(&mut command).end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(fs::read_to_string(&ids).unwrap(), "1000 1000 1000\n");
}

#[test]
fn a_command_that_cannot_be_run_is_named_and_leaves_no_file() {
    let before = Before::now();
    for (command, code, why) in [
        ("/no/such/command", 127, "No such file"),
        ("/etc/passwd", 126, "Permission denied"),
    ] {
        let file = path("unborn");
        let ended = pintrace(&["record", NO_FINDINGS, "-o", file.to_str().unwrap(), "--", command]);
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(
            ended
                .stderr
                .starts_with(&format!("pintrace: cannot run {command}: "))
                && ended.stderr.contains(why),
            "{}",
            ended.stderr
        );
        assert!(!file.exists(), "an empty recording is left");
    }
    before.assert_nothing_is_left();
}
