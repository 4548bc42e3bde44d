//! `pintrace generate`: man pages that man renders without a warning, completions that the shells read, and the units of
//! packaging/systemd.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use command::{code, output, pintrace, stderr};

fn generated(arguments: &[&str]) -> String {
    let done = pintrace(&[&["generate"], arguments].concat());
    assert_eq!(code(&done), 0, "{}", stderr(&done));
    String::from_utf8(done.stdout).unwrap()
}

/// Returns true if the program is missing, and says so.
fn is_missing(test: &str, program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap();
    let is_missing = !std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if is_missing {
        println!("skipped: {test}: no program {program}; install the Debian package {package}");
    }
    is_missing
}

fn run(program: &str, arguments: &[&str], file: &Path) -> Output {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg(file)
        .env("MANWIDTH", "100")
        .env("LC_ALL", "C.UTF-8");
    output(command)
}

/// Returns the man pages, in a new folder.
fn pages() -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("new/man1");
    assert_eq!(generated(&["man", "--output", pages.to_str().unwrap()]), "");
    let files = fs::read_dir(&pages).unwrap().map(|entry| entry.unwrap().path());
    (folder, files.collect())
}

/// Returns a text of man without bold letters, which man prints twice with a backspace between.
fn without_overstrikes(text: &str) -> String {
    let mut plain = String::new();
    for char in text.chars() {
        if char == '\u{8}' {
            plain.pop();
        } else {
            plain.push(char);
        }
    }
    plain
}

#[test]
fn man_renders_each_page_without_a_warning() {
    let test = "man_renders_each_page_without_a_warning";
    if is_missing(test, "man", "man-db") || is_missing(test, "groff", "groff-base") {
        return;
    }
    let (_folder, pages) = pages();
    assert!(pages.len() > 12, "{pages:?}");
    for page in pages {
        let shown = run("man", &["--warnings", "-E", "UTF-8", "-l", "-Tutf8"], &page);
        assert_eq!(
            (code(&shown), stderr(&shown)),
            (0, String::new()),
            "{}",
            page.display()
        );
        let shown = without_overstrikes(&String::from_utf8(shown.stdout).unwrap());
        for section in [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "EXIT STATUS",
            "FILES",
            "SEE ALSO",
        ] {
            let has = shown.lines().any(|line| line == section);
            assert!(has, "{}: no {section}: {shown}", page.display());
        }
    }
}

#[test]
fn a_warning_of_man_is_seen() {
    let test = "a_warning_of_man_is_seen";
    if is_missing(test, "man", "man-db") || is_missing(test, "groff", "groff-base") {
        return;
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), ".TH X 1\n.SH NAME\nx \\- y\n.nosuchmacro\n").unwrap();
    let shown = run("man", &["--warnings", "-E", "UTF-8", "-l", "-Tutf8"], file.path());
    assert!(stderr(&shown).contains("nosuchmacro"), "{}", stderr(&shown));
}

#[test]
fn each_page_that_a_page_of_pintrace_names_exists() {
    let (_folder, pages) = pages();
    let names: Vec<String> = pages
        .iter()
        .map(|page| page.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    for page in &pages {
        let text = fs::read_to_string(page).unwrap().replace('\\', "");
        for (before, _) in text.match_indices("(1)").map(|(at, _)| text.split_at(at)) {
            let word = before.trim_end_matches("fR");
            let start = word.rfind(|char: char| !char.is_ascii_alphanumeric() && char != '-');
            let name = &word[start.map_or(0, |start| start + 1)..];
            let name = name.strip_prefix("fB").unwrap_or(name);
            let is_known = name == "systemctl" || names.iter().any(|known| known == name);
            assert!(is_known, "{}: {name}(1)", page.display());
        }
    }
}

#[test]
fn one_page_is_printed_without_a_folder() {
    assert!(generated(&["man"]).contains("pintrace\\-top"));
    assert!(generated(&["man", "pintrace-top"]).contains("\\-\\-once"));
    let unknown = pintrace(&["generate", "man", "top"]);
    assert_eq!(code(&unknown), 2);
    assert!(stderr(&unknown).contains("pintrace-top"), "{}", stderr(&unknown));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let folder = file.path().join("man").display().to_string();
    let failed = pintrace(&["generate", "man", "--output", &folder]);
    assert_eq!(code(&failed), 1);
    assert!(stderr(&failed).contains(&folder), "{}", stderr(&failed));
}

/// Compares the shell's opinion of the completions with its opinion of a text that is no script.
fn shell_reads(shell: &str, wrong: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("completions");
    let text = generated(&["completions", shell]);
    assert!(text.contains("scan-budget"), "{text}");
    fs::write(&file, text).unwrap();
    let read = run(shell, &["-n"], &file);
    assert_eq!((code(&read), stderr(&read)), (0, String::new()), "{shell}");
    fs::write(&file, wrong).unwrap();
    assert_ne!(code(&run(shell, &["-n"], &file)), 0, "{shell}");
}

#[test]
fn bash_reads_its_completions() {
    if !is_missing("bash_reads_its_completions", "bash", "bash") {
        shell_reads("bash", "if true; then\n");
    }
}

#[test]
fn zsh_reads_its_completions() {
    if !is_missing("zsh_reads_its_completions", "zsh", "zsh") {
        shell_reads("zsh", "if true; then\n");
    }
}

#[test]
fn fish_reads_its_completions() {
    if !is_missing("fish_reads_its_completions", "fish", "fish") {
        shell_reads("fish", "if true\n");
    }
}

#[test]
fn there_are_no_completions_for_other_shells() {
    let other = pintrace(&["generate", "completions", "elvish"]);
    assert_eq!(code(&other), 2);
    assert!(
        stderr(&other).contains("bash, zsh and fish"),
        "{}",
        stderr(&other)
    );
}

#[test]
fn units_are_those_of_the_packages() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    // A unit runs the program that prints it.
    let program = env!("CARGO_BIN_EXE_pintrace");
    let read = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        text.replace("/usr/bin/pintrace", program)
    };
    assert_eq!(generated(&["unit"]), read("pintrace.service"));
    assert_eq!(generated(&["unit", "serve"]), read("pintrace.service"));
    assert_eq!(generated(&["unit", "record@"]), read("pintrace-record@.service"));
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // /etc/default/pintrace is no unit.
        let known = ["pintrace.service", "pintrace-record@.service", "pintrace.default"];
        let is_printed = known.contains(&name.as_str());
        assert!(is_printed, "`pintrace generate unit` prints no {name}");
    }
}

#[test]
fn the_configuration_is_one_that_top_reads() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), generated(&["config"])).unwrap();
    let shown = pintrace(&["config", "show", "--config", file.path().to_str().unwrap()]);
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("interval = \"1s\" # default"), "{shown}");
}
