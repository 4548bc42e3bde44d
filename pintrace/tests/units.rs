//! The systemd units, without a running systemd: the exposure that `systemd-analyze security` computes, and options that
//! `pintrace` has.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The greatest exposure, in tenths.
const MOST: &str = "30";

fn units() -> [PathBuf; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    ["pintrace.service", "pintrace-record@.service"].map(|name| folder.join(name))
}

#[test]
fn the_exposure_of_each_unit_is_at_most_3() {
    for unit in units() {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", "--threshold", MOST])
            .arg(&unit)
            .output();
        let output = match output {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!(
                    "skipped: the_exposure_of_each_unit_is_at_most_3: systemd is not installed (systemd-analyze)"
                );
                return;
            }
            output => output.unwrap(),
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        if errors.contains("unrecognized option") {
            println!(
                "skipped: the_exposure_of_each_unit_is_at_most_3: this systemd is older than 250 (--offline)"
            );
            return;
        }
        assert!(
            text.contains("Overall exposure level"),
            "{}: {text}{errors}",
            unit.display()
        );
        println!("{}", text.lines().last().unwrap());
        assert!(output.status.success(), "{text}");
    }
}

#[test]
fn each_command_line_of_a_unit_is_one_of_pintrace() {
    let defaults = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/pintrace.default");
    let defaults = std::fs::read_to_string(defaults).unwrap();
    let mut checked = 0;
    for unit in units() {
        let text = std::fs::read_to_string(&unit).unwrap();
        let keys = ["ExecStart=", "ExecStartPre="];
        let lines = text
            .lines()
            .filter_map(|line| keys.iter().find_map(|key| line.strip_prefix(key)));
        for line in lines {
            let words = line.split(' ').flat_map(|word| match word.strip_prefix('$') {
                None => vec![word.to_owned()],
                Some(variable) => {
                    let value = defaults
                        .lines()
                        .find_map(|line| line.strip_prefix(&format!("#{variable}=")));
                    let value = value.unwrap_or_else(|| panic!("no {variable} in pintrace.default"));
                    value.trim_matches('"').split(' ').map(str::to_owned).collect()
                }
            });
            let words: Vec<_> = words.collect();
            assert_eq!(words[0], "/usr/bin/pintrace", "{line}");
            // A mistake in an earlier word is reported instead of this one.
            let output = Command::new(env!("CARGO_BIN_EXE_pintrace"))
                .args(&words[1..])
                .arg("--no-such-option")
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                errors.contains("unexpected argument '--no-such-option'"),
                "{line}: {errors}"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}
