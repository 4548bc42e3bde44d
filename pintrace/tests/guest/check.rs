//! `pintrace check` with pinload's scenarios as the command: what fails, what passes, and what the report says.

use std::fs;

use serde_json::Value;

use super::robust_kit::{Before, Ended, path, pintrace};

/// Checks a scenario.
fn check(options: &[&str], scenario: &str) -> Ended {
    let command = ["--", "pinload", "scenario", scenario];
    pintrace(&[&["check"], options, &command].concat())
}

#[test]
fn a_buffer_that_is_unmapped_while_pinned_fails_unless_that_is_allowed() {
    let before = Before::now();
    let report = path("report.json");
    let words = ["--format", "json", "--report-file", report.to_str().unwrap()];
    let ended = check(&words, "unmap-remap");
    assert_eq!(ended.code, 4, "{}", ended.said);
    for part in ["check failed", "mapping-touched", "munmap", "pinload"] {
        assert!(ended.said.contains(part), "{part}: {}", ended.said);
    }
    let json: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(
        (&json["passed"], &json["command_exit_code"]),
        (&false.into(), &0.into())
    );
    let findings = json["findings"].as_array().unwrap();
    let touched = findings
        .iter()
        .find(|finding| finding["kind"] == "mapping-touched");
    assert_eq!(touched.unwrap()["ruling"], "fails");
    before.assert_nothing_is_left();

    let allowed = path("allow.toml");
    let text = "[[allow]]\nkind = 'mapping-touched'\ncomm = 'pinload'\nreason = 'that is what it is for'\n\n\
                [[allow]]\ncomm = 'nobody'\nreason = 'long gone'\n";
    fs::write(&allowed, text).unwrap();
    let ended = check(&["--allow", allowed.to_str().unwrap()], "unmap-remap");
    assert_eq!(ended.code, 0, "{}", ended.said);
    for part in ["check passed", "that is what it is for", ":6: matches no finding"] {
        assert!(ended.said.contains(part), "{part}: {}", ended.said);
    }
}

#[test]
fn what_does_no_harm_passes_with_the_commands_own_code() {
    let ended = check(&[], "quiet-unmap");
    assert_eq!(ended.code, 0, "{}", ended.said);
    assert!(ended.said.contains("check passed"), "{}", ended.said);
    for (script, code) in [("exit 7", 7), ("kill -9 $$", 137)] {
        let ended = pintrace(&["check", "--", "sh", "-c", script]);
        assert_eq!(ended.code, code, "{}", ended.said);
    }
    let ended = pintrace(&["check", "--", "/no/such/command"]);
    assert_eq!(ended.code, 127, "{}", ended.said);
}

#[test]
fn a_note_fails_where_its_kind_is_named() {
    let ended = check(&["--fail-on", "fork-copied-pinned"], "fork-write-parent");
    assert_eq!(ended.code, 4, "{}", ended.said);
    assert!(
        ended.said.contains("FAILS    note fork-copied-pinned"),
        "{}",
        ended.said
    );
    let ended = check(&["--fail-on", "pin-outlives-mm"], "fork-write-parent");
    assert_eq!(ended.code, 0, "{}", ended.said);
    assert!(
        ended.said.contains("listed   note fork-copied-pinned"),
        "{}",
        ended.said
    );
}
