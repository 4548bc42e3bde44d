//! `pintrace check` with pinload's scenarios as the command: exit codes and reports.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::robust_kit::{Before, Ended, path, pintrace};

/// Runs `pintrace check` on a scenario.
fn check(options: &[&str], scenario: &str) -> Ended {
    let command = ["--", "pinload", "scenario", scenario];
    pintrace(&[&["check"], options, &command].concat())
}

#[test]
fn unmapping_a_pinned_buffer_fails_unless_it_is_allowed() {
    let before = Before::now();
    let report = path("report.json");
    let words = ["--format", "json", "--report-file", report.to_str().unwrap()];
    let ended = check(&words, "unmap-remap");
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    for part in ["check failed", "mapping-touched", "munmap", "pinload"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
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
    let text = "[[allow]]\nkind = 'mapping-touched'\ncomm = 'pinload'\nreason = 'the scenario unmaps on purpose'\n\n \
                [[allow]]\ncomm = 'nobody'\nreason = 'obsolete'\n";
    fs::write(&allowed, text).unwrap();
    let ended = check(&["--allow", allowed.to_str().unwrap()], "unmap-remap");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for part in [
        "check passed",
        "the scenario unmaps on purpose",
        ":6: matches no finding",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

/// On kernels whose functions jump to trampolines, the pin function has no frame of its own on the stack.
#[test]
fn a_stack_begins_at_the_pin_function_and_an_allow_file_may_name_it() {
    let report = path("stack-report.json");
    let words = ["--format", "json", "--report-file", report.to_str().unwrap()];
    let ended = check(&words, "unmap-remap");
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let json: Value = serde_json::from_str(&fs::read_to_string(&report).unwrap()).unwrap();
    let findings = json["findings"].as_array().unwrap().iter();
    let touched: Vec<_> = findings
        .filter(|finding| finding["kind"] == "mapping-touched")
        .collect();
    assert!(!touched.is_empty(), "{json}");
    let mut functions = BTreeSet::new();
    for finding in touched {
        let stack = finding["pin"]["stack"].as_array().unwrap();
        let first = stack[0].as_str().unwrap();
        let function = first.split('+').next().unwrap();
        assert!(function.starts_with("pin_user_pages"), "{stack:?}");
        // Only return addresses into code without a symbol have no name, and a kernel has no such callers of pins.
        let bare = stack
            .iter()
            .filter(|frame| frame.as_str().unwrap().starts_with("0x"));
        assert_eq!(bare.count(), 0, "{stack:?}");
        functions.insert(function.to_owned());
    }

    let allowed = path("allow-symbol.toml");
    for (symbols, code) in [
        (functions, 0),
        (BTreeSet::from(["pin_user_pages_nowhere".to_owned()]), 4),
    ] {
        let entries = symbols
            .iter()
            .map(|symbol| format!("[[allow]]\nsymbol = '{symbol}'\nreason = 'the test pins'\n"));
        fs::write(&allowed, entries.collect::<String>()).unwrap();
        let ended = check(&["--allow", allowed.to_str().unwrap()], "unmap-remap");
        assert_eq!(ended.code, code, "{symbols:?}: {}", ended.stderr);
    }
}

#[test]
fn a_command_without_findings_passes_and_gives_its_exit_code() {
    let ended = check(&[], "quiet-unmap");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("check passed"), "{}", ended.stderr);
    for (script, code) in [("exit 7", 7), ("kill -9 $$", 137)] {
        let ended = pintrace(&["check", "--", "sh", "-c", script]);
        assert_eq!(ended.code, code, "{}", ended.stderr);
    }
    let ended = pintrace(&["check", "--", "/no/such/command"]);
    assert_eq!(ended.code, 127, "{}", ended.stderr);
}

#[test]
fn a_note_fails_if_fail_on_names_its_kind() {
    let ended = check(&["--fail-on", "fork-copied-pinned"], "fork-write-parent");
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("FAILS    note fork-copied-pinned"),
        "{}",
        ended.stderr
    );
    let ended = check(&["--fail-on", "pin-outlives-mm"], "fork-write-parent");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("listed   note fork-copied-pinned"),
        "{}",
        ended.stderr
    );
}
