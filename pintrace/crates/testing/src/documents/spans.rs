//! The commands in the text of a page, such as `pintrace top --once`, compared with the definition of the command line.

use clap::Command;
use pulldown_cmark::{Event, Options, Parser};

use super::Document;

/// Returns the code spans of a page that begin with `program`, with the words behind it.
pub fn beginning_with(document: &Document, program: &str) -> Vec<String> {
    let spans = Parser::new_ext(&document.text, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Code(text) => text.strip_prefix(program)?.strip_prefix(' ').map(str::to_owned),
        _ => None,
    });
    spans.collect()
}

/// Returns the first word of a span that the command line does not know: a command or an option. Values, placeholders in
/// capital letters and everything behind `--` are not checked.
pub fn unknown_word(span: &str, root: &Command) -> Option<String> {
    let mut command = root;
    let mut values_follow = false;
    for word in span.split_whitespace() {
        let word = word.trim_matches(['[', ']', '(', ')', ',', '.']);
        if word == "--" {
            return None;
        }
        if word.starts_with('-') && word.len() > 1 {
            values_follow = true;
            for option in word.split(['|', '\\']).filter(|option| !option.is_empty()) {
                if !is_option(option.trim_matches(['[', ']']), command) {
                    return Some(option.to_owned());
                }
            }
        } else if !values_follow && command.has_subcommands() && is_name(word) {
            let Some(found) = command.find_subcommand(word) else {
                return Some(word.to_owned());
            };
            command = found;
        }
    }
    None
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|char| char.is_ascii_lowercase() || char == '-')
}

fn is_option(word: &str, command: &Command) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    if ["-h", "--help", "-V", "--version"].contains(&name) {
        return true;
    }
    let arguments = || command.get_arguments();
    match name.strip_prefix("--") {
        Some(long) => arguments().any(|argument| argument.get_long() == Some(long)),
        None => name
            .chars()
            .nth(1)
            .is_some_and(|short| arguments().any(|argument| argument.get_short() == Some(short))),
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn root() -> Command {
        Command::new("x").subcommand(
            Command::new("top")
                .arg(Arg::new("once").long("once"))
                .arg(Arg::new("count").short('n')),
        )
    }

    #[test]
    fn known_commands_and_options_pass() {
        for span in [
            "top",
            "top --once",
            "top [--once] -n N",
            "--version",
            "VIEW",
            "top -- --other",
        ] {
            assert_eq!(unknown_word(span, &root()), None, "{span}");
        }
    }

    #[test]
    fn an_unknown_command_or_option_is_returned() {
        assert_eq!(unknown_word("tpo", &root()).as_deref(), Some("tpo"));
        assert_eq!(unknown_word("top --all", &root()).as_deref(), Some("--all"));
        assert_eq!(
            unknown_word("top [--once|--all]", &root()).as_deref(),
            Some("--all")
        );
        assert_eq!(unknown_word("top -q", &root()).as_deref(), Some("-q"));
    }

    #[test]
    fn spans_with_the_program_are_found_in_text_and_tables() {
        let document = Document {
            path: "x.md".to_owned(),
            text: "`x top` and `xy top`\n\n| a |\n|---|\n| `x top --once` |\n".to_owned(),
        };
        assert_eq!(beginning_with(&document, "x"), ["top", "top --once"]);
    }
}
