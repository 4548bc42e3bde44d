//! Ends of pintrace: no BPF object remains in the kernel, and the terminal is restored unless pintrace is killed.
//! `robust_panic` tests panics.

use rustix::process::Signal;

use super::harness::wait_for;
use super::on_terminal::OnTerminal;
use super::robust_kit::{Before, Running, path, pintrace, report, signal};

/// Starts `top` on a terminal, lets `end` end it, and checks the exit code and the kernel's BPF objects.
fn top_ends(end: impl FnOnce(&OnTerminal), code: i32) -> OnTerminal {
    let before = Before::now();
    let session = OnTerminal::start("pintrace top --interval 200ms");
    before.assert_something_is_there();
    end(&session);
    assert_eq!(session.end(), code, "{:?}", session.output());
    before.assert_nothing_is_left();
    session
}

#[test]
fn quitting_top_leaves_nothing_and_restores_the_terminal() {
    top_ends(|top| top.key(b"q"), 0).assert_restored();
}

#[test]
fn ctrl_c_in_top_leaves_nothing_and_restores_the_terminal() {
    let ends = |top: &OnTerminal| signal(top.program(), Signal::INT);
    top_ends(ends, 130).assert_restored();
}

#[test]
fn terminating_top_leaves_nothing_and_restores_the_terminal() {
    top_ends(|top| signal(top.program(), Signal::TERM), 143).assert_restored();
}

#[test]
fn killing_top_leaves_nothing_in_the_kernel() {
    // The terminal stays in raw mode: no code runs after SIGKILL.
    top_ends(|top| signal(top.program(), Signal::KILL), 137);
}

#[test]
fn a_crash_of_top_leaves_nothing_in_the_kernel() {
    top_ends(|top| signal(top.program(), Signal::ABORT), 134);
}

#[test]
fn top_once_leaves_nothing() {
    let before = Before::now();
    let ended = pintrace(&["top", "--once", "--interval", "100ms"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    before.assert_nothing_is_left();
}

#[test]
fn a_killed_recorder_leaves_a_readable_file_and_a_running_command() {
    let before = Before::now();
    let (file, ready) = (path("killed"), path("ready"));
    let script = format!(
        "pinload process-vm >/dev/null; touch {0}; while [ -e {0} ]; do sleep 0.1; done; touch {0}.on",
        ready.display()
    );
    let recorder = Running::start(&[
        "record",
        "--interval",
        "100ms",
        "-o",
        file.to_str().unwrap(),
        "--",
        "sh",
        "-c",
        &script,
    ]);
    wait_for("the command", || ready.exists().then_some(()));
    before.assert_something_is_there();
    let length = || std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
    let at_first = length();
    wait_for("another frame", || (length() > at_first).then_some(()));
    recorder.signal(Signal::KILL);
    assert_eq!(recorder.end().code, 137);
    before.assert_nothing_is_left();
    let json = report(&file);
    assert_eq!(
        (&json["complete"], &json["balance"]["ledger_acquired"]),
        (&false.into(), &64.into())
    );
    std::fs::remove_file(&ready).unwrap();
    let on = ready.with_extension("on");
    wait_for("the command to go on", || on.exists().then_some(()));
}

#[test]
fn a_recorder_killed_during_attaching_leaves_nothing() {
    let before = Before::now();
    let file = path("early");
    let recorder = Running::start(&["record", "-o", file.to_str().unwrap()]);
    wait_for("a first program", || before.has_program().then_some(()));
    recorder.signal(Signal::KILL);
    assert_eq!(recorder.end().code, 137);
    before.assert_nothing_is_left();
}
