//! The command lines in the shell blocks of a page.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::Document;

/// The language of blocks with command lines.
pub const SHELL: &str = "sh";
/// Words that separate two commands.
const SEPARATORS: [&str; 5] = ["|", "||", "&&", "&", ";"];
/// Words after which a file follows, and no argument.
const REDIRECTIONS: [&str; 5] = [">", ">>", "<", "2>", "2>>"];
/// Programs that run another program, each with the options that take a value as the next word.
const WRAPPERS: [(&str, &[&str]); 4] = [
    ("sudo", &["-u", "-g"]),
    ("setpriv", &[]),
    ("time", &[]),
    ("env", &[]),
];

/// A fenced block of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The language of the block: the first word after the fence.
    pub language: String,
    /// The content.
    pub text: String,
    /// The line of the first line of the content, from 1 on.
    pub line: usize,
}

/// A command of a shell block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellCommand {
    /// Page and line, for messages.
    pub place: String,
    /// The program and its arguments.
    pub words: Vec<String>,
}

impl ShellCommand {
    /// Returns true if the command begins with these words.
    pub fn begins_with(&self, words: &[&str]) -> bool {
        self.words
            .iter()
            .zip(words)
            .filter(|(one, other)| one == other)
            .count()
            == words.len()
    }
}

/// Returns the fenced and indented blocks of a page.
pub fn blocks(document: &Document) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (event, range) in Parser::new_ext(&document.text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let words = match &kind {
                    CodeBlockKind::Fenced(words) => words.as_ref(),
                    CodeBlockKind::Indented => "",
                };
                open = Some(Block {
                    language: words.split([' ', ',']).next().unwrap_or_default().to_owned(),
                    text: String::new(),
                    line: document.text[..range.start].lines().count() + 1,
                });
            }
            Event::Text(text) => {
                if let Some(block) = &mut open {
                    block.text += &text;
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(open.take()),
            _ => {}
        }
    }
    found
}

/// A line of a shell block, as a reader copies it: with pipes, redirections, and the lines that continue it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellLine {
    /// Page and line of the block, for messages.
    pub place: String,
    /// The text.
    pub text: String,
}

impl ShellLine {
    /// Returns the commands of the line.
    ///
    /// # Errors
    ///
    /// Returns a message if quotes are not closed.
    pub fn commands(&self) -> Result<Vec<ShellCommand>, String> {
        let mut found = Vec::new();
        line_commands(&self.place, &self.text, &mut found)?;
        Ok(found)
    }
}

/// Returns the lines of the shell blocks of a page.
pub fn lines(document: &Document) -> Vec<ShellLine> {
    let mut found = Vec::new();
    for block in blocks(document).iter().filter(|block| block.language == SHELL) {
        let place = format!("{}, block at line {}", document.path, block.line);
        let mut text = String::new();
        for line in block.text.replace("\\\n", " ").lines() {
            text += line;
            // A quote may go on in the next line.
            if shlex::split(&text).is_some() {
                let place = place.clone();
                found.push(ShellLine { place, text });
                text = String::new();
            } else {
                text.push('\n');
            }
        }
        if !text.is_empty() {
            found.push(ShellLine { place, text });
        }
    }
    found
}

/// Returns the commands of the shell blocks of a page. A text that `cargo xtask vm run` passes to a shell is included, and
/// so are the arguments that `cargo xtask run` passes to pintrace.
///
/// # Errors
///
/// Returns a message with the place of a line whose quotes are not closed.
pub fn commands(document: &Document) -> Result<Vec<ShellCommand>, String> {
    let mut found = Vec::new();
    for line in lines(document) {
        found.extend(line.commands()?);
    }
    Ok(found)
}

fn line_commands(place: &str, line: &str, found: &mut Vec<ShellCommand>) -> Result<(), String> {
    let words = shlex::split(line).ok_or_else(|| format!("{place}: quotes are not closed: {line}"))?;
    let words: Vec<String> = words.into_iter().flat_map(without_semicolon).collect();
    for part in words.split(|word| SEPARATORS.contains(&word.as_str())) {
        let words = without_wrappers(&without_redirections(part));
        let Some(passed) = words
            .iter()
            .position(|word| word == "--")
            .map(|at| &words[at + 1..])
        else {
            push(place, words, found);
            continue;
        };
        if words.starts_with(&["cargo", "xtask", "run"].map(str::to_owned)) {
            let program = "pintrace".to_owned();
            push(place, [&[program], passed].concat(), found);
        } else if words.starts_with(&["cargo", "xtask", "vm"].map(str::to_owned)) {
            line_commands(place, &passed.join(" "), found)?;
        }
        push(place, words, found);
    }
    Ok(())
}

/// Makes a semicolon at the end of a word a word of its own.
fn without_semicolon(word: String) -> Vec<String> {
    match word.strip_suffix(';') {
        Some(rest) if !rest.is_empty() => vec![rest.to_owned(), ";".to_owned()],
        _ => vec![word],
    }
}

fn push(place: &str, words: Vec<String>, found: &mut Vec<ShellCommand>) {
    if !words.is_empty() {
        let place = place.to_owned();
        found.push(ShellCommand { place, words });
    }
}

fn without_redirections(words: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if REDIRECTIONS.contains(&word.as_str()) {
            words.next();
        } else {
            kept.push(word.clone());
        }
    }
    kept
}

/// Removes assignments and the programs that run another program from the beginning.
fn without_wrappers(words: &[String]) -> Vec<String> {
    let Some(first) = words.first() else {
        return Vec::new();
    };
    if first.split_once('=').is_some_and(|(name, _)| is_variable(name)) {
        return without_wrappers(&words[1..]);
    }
    let Some((_, with_value)) = WRAPPERS.iter().find(|(name, _)| name == first) else {
        return words.to_vec();
    };
    let mut rest = &words[1..];
    while let Some(option) = rest.first().filter(|word| word.starts_with('-')) {
        let taken = if with_value.contains(&option.as_str()) {
            2
        } else {
            1
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    without_wrappers(rest)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|char| char.is_ascii_uppercase() || char == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document {
            path: "x.md".to_owned(),
            text: text.to_owned(),
        }
    }

    fn found(text: &str) -> Vec<String> {
        let commands = commands(&document(text)).unwrap();
        commands.iter().map(|command| command.words.join(" ")).collect()
    }

    #[test]
    fn a_block_has_its_language_and_its_line() {
        let blocks = blocks(&document("a\n\n```sh\npintrace top\n```\n\n    indented\n"));
        assert_eq!((blocks[0].language.as_str(), blocks[0].line), ("sh", 3));
        assert_eq!(blocks[0].text, "pintrace top\n");
        assert_eq!(blocks[1].language, "");
    }

    #[test]
    fn only_shell_blocks_have_commands() {
        assert_eq!(found("```text\npintrace top\n```\n"), Vec::<String>::new());
    }

    #[test]
    fn comments_redirections_and_programs_in_front_are_no_part_of_a_command() {
        assert_eq!(
            found("```sh\nA=b sudo -u x pintrace top --json > f   # prints\npintrace top | head; ls\n```\n"),
            ["pintrace top --json", "pintrace top", "head", "ls"]
        );
        assert_eq!(
            found("```sh\nsetpriv --reuid=1 \\\n  pintrace top --where 'a > 5'\n```\n"),
            ["pintrace top --where a > 5"]
        );
    }

    #[test]
    fn commands_for_a_guest_and_arguments_for_pintrace_are_commands_too() {
        assert_eq!(
            found("```sh\ncargo xtask vm run -- 'pintrace scan'\ncargo xtask run -- top --once\n```\n"),
            [
                "pintrace scan",
                "cargo xtask vm run -- pintrace scan",
                "pintrace top --once",
                "cargo xtask run -- top --once"
            ]
        );
    }

    #[test]
    fn a_quote_may_span_lines() {
        assert_eq!(
            found("```sh\nx 'a\nb' c\npintrace top\n```\n"),
            ["x a\nb c", "pintrace top"]
        );
    }

    #[test]
    fn a_line_keeps_pipes_and_redirections() {
        let document = document("```sh\npintrace top --json | jq . > f\nls \\\n  -l\n```\n");
        let texts: Vec<_> = lines(&document).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["pintrace top --json | jq . > f", "ls    -l"]);
    }

    #[test]
    fn a_line_with_an_open_quote_is_an_error() {
        assert!(
            commands(&document("```sh\necho 'a\n```\n"))
                .unwrap_err()
                .contains("x.md")
        );
    }
}
