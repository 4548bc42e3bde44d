//! `pintrace report` from outside: answers, warnings and exit codes, on good and on bad files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pintrace_record::compat::CURRENT;
use pintrace_record::format::FileHeader;
use tempfile::TempDir;

fn pintrace(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pintrace"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn fixture() -> Vec<u8> {
    fs::read(tests().join("fixtures/fio-1.pintrace")).unwrap()
}

/// A file with such content, in a folder that lives as long as the value.
struct Given {
    _folder: TempDir,
    path: String,
}

impl Given {
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
            .output()
            .unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

/// Standard error, which must be one line.
fn said(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(said.lines().count() <= 1, "{said}");
    said.trim_end().to_owned()
}

fn refused(output: &Output, path: &str, why: &str) {
    assert_eq!(code(output), 1);
    assert_eq!(out(output), "");
    let said = said(output);
    assert!(
        said.starts_with(&format!("pintrace: {path}: ")) && said.contains(why),
        "{said}"
    );
}

#[test]
fn a_recording_is_reported_as_text() {
    let output = Given::file(&fixture()).report(&[]);
    assert_eq!((code(&output), said(&output).as_str()), (0, ""));
    assert_eq!(
        out(&output),
        fs::read_to_string(tests().join("../crates/export/tests/golden/report.txt")).unwrap()
    );
}

#[test]
fn a_recording_is_reported_as_json() {
    let output = Given::file(&fixture()).report(&["--json"]);
    assert_eq!(code(&output), 0);
    assert_eq!(out(&output).lines().count(), 1);
    let golden = fs::read_to_string(tests().join("../crates/export/tests/golden/snapshot.json")).unwrap();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(out(&output)), json(&golden));
}

#[test]
fn what_was_found_is_in_the_recording() {
    let recording = fs::read(tests().join("fixtures/mishaps-2.pintrace")).unwrap();
    let output = Given::file(&recording).report(&[]);
    assert_eq!((code(&output), said(&output).as_str()), (0, ""));
    assert!(out(&output).contains("Findings: 2 alarms, 2 hazards, 3 notes"));
}

#[test]
fn a_file_that_is_missing_is_named() {
    let output = pintrace(&["report", "/nonexistent/x.pintrace"]).output().unwrap();
    refused(&output, "/nonexistent/x.pintrace", "No such file");
    assert!(said(&output).contains("`pintrace record -o FILE`"));
}

#[test]
fn a_folder_is_no_recording() {
    let output = pintrace(&["report", "/tmp"]).output().unwrap();
    refused(&output, "/tmp", "is a folder");
}

#[test]
fn a_file_of_another_kind_is_no_recording() {
    for content in [&b"PK\x03\x04 something else entirely"[..], b"short", &[0; 5000]] {
        let given = Given::file(content);
        refused(&given.report(&[]), &given.path, "not a pintrace recording");
    }
}

#[test]
fn an_empty_file_is_called_empty() {
    let given = Given::file(b"");
    refused(&given.report(&["--json"]), &given.path, "empty");
}

#[test]
fn a_newer_recording_asks_for_a_newer_pintrace() {
    let version = CURRENT + 1;
    let given = Given::file(&FileHeader { version }.encode());
    let said = format!("a recording of format {version}, and this pintrace reads up to format {CURRENT}");
    refused(&given.report(&[]), &given.path, &said);
    refused(&given.report(&[]), &given.path, "use a newer pintrace");
}

#[test]
fn a_file_cut_anywhere_opens_up_to_the_last_whole_frame() {
    let whole = fixture();
    for length in [16, 17, 60, whole.len() / 2, whole.len() - 1] {
        let output = Given::file(&whole[..length]).report(&["--json"]);
        assert_eq!(code(&output), 0, "{length} bytes");
        assert!(
            said(&output).contains(": cut short after "),
            "{length} bytes: {}",
            said(&output)
        );
        let json: serde_json::Value = serde_json::from_str(out(&output)).unwrap();
        assert_eq!(json["complete"], false, "{length} bytes");
    }
}

#[test]
fn a_flipped_bit_is_told_with_what_was_readable() {
    let mut bytes = fixture();
    let last = bytes.len() - 5;
    bytes[last] ^= 0x10;
    let output = Given::file(&bytes).report(&[]);
    assert_eq!(code(&output), 1);
    assert!(
        out(&output).contains("fio"),
        "what came before the damage is reported"
    );
    assert!(out(&output).contains("CUT SHORT"));
    let said = said(&output);
    assert!(
        said.contains("damaged in frame ") && said.contains("are good"),
        "{said}"
    );
}

#[test]
fn a_command_line_without_a_file_is_wrong_usage() {
    let output = pintrace(&["report"]).output().unwrap();
    assert_eq!(code(&output), 2);
    let output = pintrace(&["report", "a", "--nonsense"]).output().unwrap();
    assert_eq!(code(&output), 2);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let given = Given::file(&fixture());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = pintrace(&["report", &given.path])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!((code(&output), said(&output).as_str()), (0, ""));
}

#[test]
fn a_full_disk_under_standard_output_is_a_failure() {
    let given = Given::file(&fixture());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = pintrace(&["report", &given.path]).stdout(full).output().unwrap();
    assert_eq!(code(&output), 1);
    assert!(
        said(&output).contains("standard output: No space left"),
        "{}",
        said(&output)
    );
}

#[test]
fn help_and_version_are_done() {
    for argument in ["--help", "--version"] {
        let output = pintrace(&[argument]).output().unwrap();
        assert_eq!(code(&output), 0);
        assert!(out(&output).contains("pintrace"));
    }
}
