//! The commands of pintrace in README.md and in the pages are commands that pintrace accepts.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use pintrace::cli::Cli;
use pintrace_testing::documents::shell::{self, ShellCommand};
use pintrace_testing::documents::{self, spans};

/// Returns the commands of all shell blocks that run pintrace.
fn commands() -> Vec<ShellCommand> {
    let documents = documents::all().unwrap();
    let all = documents
        .iter()
        .flat_map(|document| shell::commands(document).unwrap());
    let runs_pintrace = |command: &ShellCommand| {
        let program = Path::new(&command.words[0]);
        program.file_name().is_some_and(|name| name == "pintrace")
    };
    all.filter(runs_pintrace).collect()
}

#[test]
fn each_command_in_a_shell_block_is_accepted() {
    let commands = commands();
    assert!(commands.len() > 30, "only {} commands", commands.len());
    for command in commands {
        let Err(error) = Cli::try_parse_from(&command.words) else {
            continue;
        };
        let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        assert!(
            is_help,
            "{}: `{}`\n{error}",
            command.place,
            command.words.join(" ")
        );
    }
}

#[test]
fn each_command_in_the_text_has_known_options() {
    let root = Cli::command();
    let mut count = 0;
    for document in documents::all().unwrap() {
        for span in spans::beginning_with(&document, "pintrace") {
            let unknown = spans::unknown_word(&span, &root);
            assert_eq!(unknown, None, "{}: `pintrace {span}`", document.path);
            count += 1;
        }
    }
    assert!(count > 50, "only {count} commands");
}

#[test]
fn each_block_has_a_language() {
    for document in documents::all().unwrap() {
        for block in shell::blocks(&document) {
            let place = format!("{}, block at line {}", document.path, block.line);
            assert!(
                !block.language.is_empty(),
                "{place}: name the language, such as sh or text"
            );
        }
    }
}

#[test]
fn the_names_of_packages_have_the_version_of_this_build() {
    let mut count = 0;
    for document in documents::all().unwrap() {
        let names = ["pintrace_", "pintrace-"].map(|begin| document.text.split(begin).skip(1));
        for rest in names.into_iter().flatten() {
            let is_part = |char: char| char.is_ascii_digit() || char == '.';
            let version = rest.split(|char| !is_part(char)).next().unwrap();
            if version.matches('.').count() == 2 {
                assert_eq!(version, env!("CARGO_PKG_VERSION"), "{}", document.path);
                count += 1;
            }
        }
    }
    assert!(count > 5, "only {count} names");
}

#[test]
fn a_command_with_an_unknown_option_is_refused() {
    assert!(Cli::try_parse_from(["pintrace", "top", "--no-such-option"]).is_err());
}
