//! However pintrace ends, nothing of it is left in the kernel, and the terminal is as it was. A panic has a file of its
//! own: `robust_panic`.

use rustix::process::Signal;

use super::robust_kit::{Before, OnTerminal, Running, path, pintrace, report, signal, wait_for};

/// `top` on a terminal, attached and drawn; `end` ends it; the exit code must be this.
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
fn quitting_top_leaves_nothing_and_the_terminal_as_it_was() {
    top_ends(|top| top.key(b"q"), 0).assert_restored();
}

#[test]
fn ctrl_c_in_top_leaves_nothing_and_the_terminal_as_it_was() {
    let ends = |top: &OnTerminal| signal(top.program(), Signal::INT);
    top_ends(ends, 130).assert_restored();
}

#[test]
fn terminating_top_leaves_nothing_and_the_terminal_as_it_was() {
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
fn one_table_leaves_nothing() {
    let before = Before::now();
    let ended = pintrace(&["top", "--once", "--interval", "100ms"]);
    assert_eq!(ended.code, 0, "{}", ended.said);
    before.assert_nothing_is_left();
}

#[test]
fn a_killed_recorder_leaves_nothing_but_a_readable_file_and_its_command() {
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
    wait_for("the command", || ready.exists());
    before.assert_something_is_there();
    let length = || std::fs::metadata(&file).map_or(0, |metadata| metadata.len());
    let at_first = length();
    wait_for("another frame", || length() > at_first);
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
    wait_for("the command to go on", || on.exists());
}

#[test]
fn a_recorder_killed_while_it_attaches_leaves_nothing() {
    let before = Before::now();
    let file = path("early");
    let recorder = Running::start(&["record", "-o", file.to_str().unwrap()]);
    wait_for("a first program", || before.has_program());
    recorder.signal(Signal::KILL);
    assert_eq!(recorder.end().code, 137);
    before.assert_nothing_is_left();
}
