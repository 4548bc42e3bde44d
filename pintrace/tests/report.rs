//! `pintrace report`: output, warnings and exit codes, for good and for bad files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/command.rs"]
mod command;
#[path = "support/recording.rs"]
mod recording;

use std::fs;
use std::process::{Command, Output};

use pintrace_export::{json, report};
use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;
use pintrace_record::format::{FileHeader, VERSION};
use pintrace_testing::event_builder::{EventBuilder, finding_fixtures, fio_and_others};
use tempfile::TempDir;

use command::{PINTRACE, code, output, pintrace, stderr};
use recording::recording;

/// Returns a recording of a stream without errors.
fn good() -> Vec<u8> {
    recording(&fio_and_others())
}

#[test]
fn a_report_is_as_wide_as_columns_or_100_and_a_view_without_columns_is_not_cut() {
    let file = TestFile::file(&good());
    let widest = |options: &[&str], columns: Option<&str>| {
        let mut command = Command::new(PINTRACE);
        command.args(["report", &file.path]).args(options);
        command.env_remove("COLUMNS");
        command.envs(columns.map(|columns| ("COLUMNS", columns)));
        let text = String::from_utf8(output(command).stdout).unwrap();
        text.lines().map(pintrace_text::width).max().unwrap()
    };
    let view = ["--view", "processes"];
    assert!(widest(&view, Some("50")) <= 50);
    assert_eq!(widest(&view, Some("0")), widest(&view, None));
    assert_eq!(widest(&view, Some("5000")), widest(&view, None));
    assert!((51..=100).contains(&widest(&[], None)));
}

/// The model at the end of a stream.
fn snapshot(stream: &EventBuilder) -> Snapshot {
    let mut model = Model::default();
    for event in &stream.events {
        model.apply(event);
    }
    model.snapshot()
}

/// A file in a folder that is removed when dropped.
struct TestFile {
    _folder: TempDir,
    path: String,
}

impl TestFile {
    fn file(content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.pintrace");
        fs::write(&path, content).unwrap();
        Self {
            path: path.to_str().unwrap().to_owned(),
            _folder: folder,
        }
    }

    fn report(&self, more: &[&str]) -> Output {
        pintrace(&[&["report", &self.path], more].concat())
    }
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// Returns the text on stderr, which must be at most one line.
fn message(output: &Output) -> String {
    let message = stderr(output);
    assert!(message.lines().count() <= 1, "{message}");
    message.trim_end().to_owned()
}

fn refused(output: &Output, path: &str, why: &str) {
    assert_eq!(code(output), 1);
    assert_eq!(out(output), "");
    let message = message(output);
    assert!(
        message.starts_with(&format!("pintrace: {path}: ")) && message.contains(why),
        "{message}"
    );
}

#[test]
fn a_recording_is_reported_as_text() {
    let output = TestFile::file(&good()).report(&[]);
    assert_eq!((code(&output), message(&output).as_str()), (0, ""));
    assert_eq!(
        out(&output),
        report::render(&snapshot(&fio_and_others()), true, 100)
    );
}

#[test]
fn a_recording_is_reported_as_json() {
    let output = TestFile::file(&good()).report(&["--json"]);
    assert_eq!(code(&output), 0);
    assert_eq!(
        out(&output),
        json::render(&snapshot(&fio_and_others()), true).unwrap()
    );
}

#[test]
fn findings_are_in_the_recording() {
    let output = TestFile::file(&recording(&finding_fixtures())).report(&[]);
    assert_eq!((code(&output), message(&output).as_str()), (0, ""));
    assert!(out(&output).contains("Findings: 2 alarms, 2 hazards, 3 notes"));
}

#[test]
fn a_query_chooses_processes_and_leaves_the_totals() {
    let file = TestFile::file(&good());
    let whole = file.report(&[]);
    let output = file.report(&["--where", "comm = fio"]);
    assert_eq!((code(&output), message(&output).as_str()), (0, ""));
    let processes = snapshot(&fio_and_others()).processes.len();
    let sentence = format!("\n1 of {processes} processes matches “comm = fio”.");
    let (above, below) = out(&output).split_once(&sentence).unwrap();
    assert!(out(&whole).starts_with(above), "the totals are those of the host");
    let rows = below
        .lines()
        .filter(|line| line.ends_with("  live     fio") || line.contains(" fio"));
    assert_eq!(rows.count(), 1, "{below}");
    let none = file.report(&["--where", "pid = 0"]);
    assert!(out(&none).contains(&format!("\n0 of {processes} processes match ")));
}

#[test]
fn a_query_is_in_the_json_with_both_numbers() {
    let file = TestFile::file(&recording(&finding_fixtures()));
    let json = |query: &str| -> serde_json::Value {
        let output = file.report(&["--json", "--where", query]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        serde_json::from_str(out(&output)).unwrap()
    };
    let all = json("");
    let count = |document: &serde_json::Value, key: &str| document[key].as_array().unwrap().len();
    assert!(count(&all, "findings") > 1);
    let pid = all["findings"][0]["pid"].as_u64().unwrap();
    let one = json(&format!("pid = {pid}"));
    assert_eq!(one["selection"]["query"], format!("pid = {pid}"));
    assert_eq!(one["selection"]["matching"], count(&one, "processes"));
    assert_eq!(one["selection"]["of"], count(&all, "processes"));
    let findings = one["findings"].as_array().unwrap();
    assert!(!findings.is_empty() && findings.iter().all(|found| found["pid"] == pid));
    assert_eq!(one["balance"], all["balance"]);
    let none = json("pid = 0");
    assert_eq!((count(&none, "processes"), count(&none, "findings")), (0, 0));
}

#[test]
fn a_file_that_is_missing_is_named() {
    let output = pintrace(&["report", "/nonexistent/x.pintrace"]);
    refused(&output, "/nonexistent/x.pintrace", "No such file");
    assert!(message(&output).contains("`pintrace record -o FILE`"));
}

#[test]
fn a_folder_is_no_recording() {
    let output = pintrace(&["report", "/tmp"]);
    refused(&output, "/tmp", "is a folder");
}

#[test]
fn a_file_of_another_kind_is_no_recording() {
    for content in [&b"PK\x03\x04 something else entirely"[..], b"short", &[0; 5000]] {
        let file = TestFile::file(content);
        refused(&file.report(&[]), &file.path, "not a pintrace recording");
    }
}

#[test]
fn an_empty_file_is_reported_as_empty() {
    let file = TestFile::file(b"");
    refused(&file.report(&["--json"]), &file.path, "empty");
}

#[test]
fn a_recording_of_another_format_is_refused_with_a_remedy() {
    for (version, remedy) in [
        (1, "record it again"),
        (2, "record it again"),
        (VERSION + 1, "use a newer pintrace"),
    ] {
        let mut bytes = good();
        bytes[..16].copy_from_slice(&FileHeader { version }.encode());
        let file = TestFile::file(&bytes);
        let output = file.report(&[]);
        let why = format!(
            "recording format {version} is not supported by this version, which reads format 3: {remedy}"
        );
        refused(&output, &file.path, &why);
    }
}

#[test]
fn a_file_cut_anywhere_is_read_up_to_the_last_whole_frame() {
    let whole = good();
    for length in [16, 17, 60, whole.len() / 2, whole.len() - 1] {
        let output = TestFile::file(&whole[..length]).report(&["--json"]);
        assert_eq!(code(&output), 0, "{length} bytes");
        assert!(
            message(&output).contains(": cut short after "),
            "{length} bytes: {}",
            message(&output)
        );
        let json: serde_json::Value = serde_json::from_str(out(&output)).unwrap();
        assert_eq!(json["complete"], false, "{length} bytes");
    }
}

#[test]
fn damage_is_reported_after_the_readable_events() {
    let mut bytes = good();
    let last = bytes.len() - 5;
    bytes[last] ^= 0x10;
    let output = TestFile::file(&bytes).report(&[]);
    assert_eq!(code(&output), 1);
    assert!(
        out(&output).contains("fio"),
        "the events before the damage are reported"
    );
    assert!(out(&output).contains("CUT SHORT"));
    let message = message(&output);
    assert!(
        message.contains("damaged in frame ") && message.contains("events that can be read"),
        "{message}"
    );
}

#[test]
fn a_command_line_without_a_file_is_a_usage_error() {
    let output = pintrace(&["report"]);
    assert_eq!(code(&output), 2);
    let output = pintrace(&["report", "a", "--nonsense"]);
    assert_eq!(code(&output), 2);
}

#[test]
fn a_broken_pipe_is_no_failure() {
    let file = TestFile::file(&good());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(PINTRACE);
    command.args(["report", &file.path]).stdout(writer);
    let output = output(command);
    assert_eq!((code(&output), message(&output).as_str()), (0, ""));
}

#[test]
fn a_full_disk_under_standard_output_is_a_failure() {
    let file = TestFile::file(&good());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(PINTRACE);
    command.args(["report", &file.path]).stdout(full);
    let output = output(command);
    assert_eq!(code(&output), 1);
    assert!(
        message(&output).contains("standard output: No space left"),
        "{}",
        message(&output)
    );
}

#[test]
fn help_lists_every_command_and_version_names_the_version() {
    let help = pintrace(&["--help"]);
    assert_eq!(code(&help), 0);
    for name in ["top", "scan", "record", "check", "report", "serve", "doctor"] {
        assert!(
            out(&help).contains(&format!("\n  {name} ")),
            "{name}: {}",
            out(&help)
        );
        assert_eq!(code(&pintrace(&[name, "--help"])), 0, "{name}");
    }
    let version = pintrace(&["--version"]);
    assert_eq!(code(&version), 0);
    assert_eq!(
        out(&version),
        concat!("pintrace ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
