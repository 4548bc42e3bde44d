//! `top --batch` and `report --view`: mistakes on the command line, the rows of a recording, and the ends of `--batch`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/command.rs"]
mod command;
#[path = "support/recording.rs"]
mod recording;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::process::{Command, Output, Stdio};

use pintrace_testing::event_builder::{finding_fixtures, fio_and_others};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use command::{PINTRACE, code, pintrace, stderr, wait};
use recording::recording;

/// The message of a command with a mistake.
fn mistake(arguments: &[&str]) -> String {
    let output = pintrace(arguments);
    let message = stderr(&output);
    assert_eq!(code(&output), 2, "{arguments:?}: {message}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert!(message.contains("--help"), "{arguments:?}: {message}");
    message
}

#[test]
fn an_unknown_view_lists_the_possible_ones() {
    let commands: [&[&str]; 3] = [
        &["top", "--view", "changes"],
        &["top", "--batch", "--view", "changes"],
        &["report", "x.pintrace", "--view", "changes"],
    ];
    for command in commands {
        let message = mistake(command);
        let views =
            "processes, cgroups, holders, pins, call-sites, findings, flush-windows, pin-calls, system";
        assert!(message.contains(views), "{message}");
    }
}

#[test]
fn options_of_rows_need_batch_or_a_view() {
    let commands: [(&[&str], &str); 9] = [
        (&["top", "--csv"], "--batch"),
        (&["top", "--once", "--csv"], "cannot be used with"),
        (&["top", "-n", "3"], "--batch"),
        (&["top", "--sort", "pid"], "--batch"),
        (&["top", "--json"], "--once"),
        (&["top", "--once", "--batch"], "cannot be used with"),
        (&["top", "--once", "--view", "pins"], "--batch -n 1 --view pins"),
        (&["top", "--batch", "--csv", "--json"], "cannot be used with"),
        (&["report", "x.pintrace", "--csv"], "--view"),
    ];
    for (command, wanted) in commands {
        let message = mistake(command);
        assert!(message.contains(wanted), "{command:?}: {message}");
    }
    let message = mistake(&["top", "--batch", "-n", "0"]);
    assert!(message.contains("expected a whole number above 0"), "{message}");
    mistake(&["report", "x.pintrace", "--sort", "pid"]);
}

#[test]
fn a_query_with_a_field_that_the_view_lacks_has_a_caret_below_it() {
    let query = "pages_held > 3 and severity = alarm";
    let commands: [&[&str]; 4] = [
        &["top", "--batch", "--view", "pins", "--where", query],
        &["top", "--view", "pins", "--where", query],
        &["top", "--batch", "--csv", "--view", "pins", "--where", query],
        &[
            "report",
            "/nonexistent/x.pintrace",
            "--view",
            "pins",
            "--where",
            query,
        ],
    ];
    for command in commands {
        let message = mistake(command);
        let lines: Vec<&str> = message.lines().collect();
        assert!(lines[0].starts_with("error: invalid value "), "{message}");
        assert!(
            lines[0].ends_with("column 20: pins have no field `severity`"),
            "{message}"
        );
        let caret = format!("  {}^", " ".repeat(19));
        assert_eq!(lines[1..3], [format!("  {query}"), caret]);
        assert!(lines[3].starts_with("possible: "), "{message}");
    }
}

#[test]
fn a_column_that_the_view_lacks_lists_the_possible_ones() {
    let message = mistake(&["top", "--batch", "--view", "call-sites", "--sort", "pid"]);
    let columns = "possible: pages_held, bytes_held, extents, processes, oldest, subsystem, caller";
    assert!(message.contains(columns), "{message}");
}

/// Runs `report` on a recording.
fn report(bytes: &[u8], more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.pintrace");
    fs::write(&path, bytes).unwrap();
    pintrace(&[&["report", path.to_str().unwrap()], more].concat())
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

#[test]
fn a_view_of_a_recording_is_printed_in_each_format() {
    let bytes = recording(&fio_and_others());
    let pins = |more: &[&str]| {
        let output = report(&bytes, &[&["--view", "pins"], more].concat());
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
        out(&output).to_owned()
    };
    let csv = pins(&["--csv"]);
    assert!(csv.starts_with("time,pid,tid,pages_held,bytes_held,"), "{csv}");
    let json: serde_json::Value = serde_json::from_str(&pins(&["--json"])).unwrap();
    assert_eq!(json["view"], "pins");
    assert_eq!(json["rows"].as_array().unwrap().len(), csv.lines().count() - 1);
    assert!(pins(&[]).contains("pins: 1 row\nPID"));
    let none = pins(&["--csv", "--where", "pid = 0"]);
    assert_eq!(none.lines().count(), 1, "the names of the columns: {none}");
}

#[test]
fn processes_that_have_ended_are_in_the_rows_of_a_recording() {
    let output = report(&recording(&fio_and_others()), &["--view", "processes", "--csv"]);
    assert!(out(&output).contains(",exit 3,reader,"), "{}", out(&output));
}

#[test]
fn a_view_of_a_recording_that_is_cut_short_has_the_same_warning_as_the_report() {
    let bytes = recording(&finding_fixtures());
    let cut = &bytes[..bytes.len() - 1];
    let views = report(cut, &["--view", "findings", "--json"]);
    assert_eq!(code(&views), 0);
    assert!(
        stderr(&views).contains(": cut short after "),
        "{}",
        stderr(&views)
    );
}

/// Returns true if this machine can be traced or scanned. If not, `top --batch` says so.
fn can_run() -> bool {
    let doctor = pintrace(&["doctor", "--json"]);
    let diagnosis: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let possible = diagnosis["can_trace"] == true || diagnosis["can_scan"] == true;
    if !possible {
        assert_eq!(code(&pintrace(&["top", "--batch", "-n", "1"])), 3);
    }
    possible
}

#[test]
fn batch_prints_as_often_as_asked() {
    if !can_run() {
        return;
    }
    let output = pintrace(&[
        "top",
        "--batch",
        "-n",
        "2",
        "--interval",
        "100ms",
        "--view",
        "system",
        "--csv",
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mut lines = out(&output).lines();
    assert_eq!(lines.next(), Some("time,group,label,value,explanation,unit"));
    let times: BTreeSet<&str> = lines.map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(times.len(), 2, "{times:?}");
}

#[test]
fn a_closed_pipe_ends_batch_and_is_no_failure() {
    if !can_run() {
        return;
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(PINTRACE);
    command
        .args(["top", "--batch", "--interval", "100ms"])
        .stdout(writer);
    let output = command::output(command);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn a_signal_ends_batch_while_its_pipe_is_full() {
    if !can_run() {
        return;
    }
    let mut command = Command::new(PINTRACE);
    command.args([
        "top",
        "--batch",
        "--interval",
        "20ms",
        "--view",
        "system",
        "--json",
    ]);
    let mut running = command.stdout(Stdio::piped()).spawn().unwrap();
    let pipe = running.stdout.take().unwrap();
    // How many bytes fill a pipe depends on the lengths of the lines. Its other end tells whether it has room.
    let writer = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let writer = File::options().write(true).open(writer).unwrap();
    wait::until("a full pipe", || {
        let mut polled = [PollFd::new(&writer, PollFlags::OUT)];
        let ready = poll(&mut polled, Some(&Timespec::default())).unwrap();
        (ready == 0).then_some(())
    });
    let pid = nix::unistd::Pid::from_raw(running.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let status = wait::until("the end of top --batch", || running.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}
