//! Paths in Rust source, well enough for import rules: comments, strings and test modules are left
//! out, groups are spread out, and macros are read like code.

use std::path::Path;

/// The module of a file, given relative to `src`.
pub(crate) fn module_of(path: &Path) -> Vec<String> {
    let mut module: Vec<String> = path
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// Names of the modules in other files that only exist for tests.
pub(crate) fn test_modules(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut names = Vec::new();
    for at in positions(&tokens, &CFG_TEST) {
        let rest = after_attributes(&tokens, at + CFG_TEST.len());
        let rest = tokens[rest..]
            .iter()
            .skip_while(|token| *token == "pub")
            .map(String::as_str);
        if let [Some("mod"), Some(name), Some(";")] = first_three(rest) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Every path of two segments or more, outside of test modules.
pub(crate) fn paths(text: &str) -> Vec<Vec<String>> {
    let tokens = without_test_blocks(tokens(text));
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_word(&tokens[at]) {
            at = tree(&tokens, at, &mut Vec::new(), &mut paths);
        } else {
            at += 1;
        }
    }
    paths.retain(|path| path.len() > 1);
    paths
}

const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

/// Reads `a::b::{c, d::e}` at `at`, adds its paths, and gives the position after it.
fn tree(tokens: &[String], mut at: usize, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let depth = path.len();
    loop {
        path.push(tokens[at].clone());
        at += 1;
        let next = |offset: usize| tokens.get(at + offset).map_or("", String::as_str);
        if next(0) != "::" {
            break;
        }
        if next(1) == "{" {
            at = group(tokens, at + 2, path, paths);
            path.truncate(depth);
            return at;
        }
        if !is_word(next(1)) {
            break;
        }
        at += 1;
    }
    paths.push(path.clone());
    path.truncate(depth);
    at
}

fn group(tokens: &[String], mut at: usize, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    while at < tokens.len() {
        match tokens[at].as_str() {
            "}" => return at + 1,
            "as" => at += 2,
            word if is_word(word) => at = tree(tokens, at, path, paths),
            _ => at += 1,
        }
    }
    at
}

/// Drops `#[cfg(test)] mod name { ... }`.
fn without_test_blocks(mut tokens: Vec<String>) -> Vec<String> {
    while let Some(start) = positions(&tokens, &CFG_TEST)
        .into_iter()
        .find(|at| opens_block(&tokens, *at))
    {
        let mut depth = 0_usize;
        let mut end = start + CFG_TEST.len();
        while end < tokens.len() {
            match tokens[end].as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            end += 1;
            if depth == 0 && tokens[end - 1] == "}" {
                break;
            }
        }
        tokens.drain(start..end);
    }
    tokens
}

fn opens_block(tokens: &[String], at: usize) -> bool {
    let rest = after_attributes(tokens, at + CFG_TEST.len());
    let rest = tokens[rest..]
        .iter()
        .map(String::as_str)
        .skip_while(|token| *token == "pub");
    matches!(first_three(rest), [Some("mod"), Some(_), Some("{")])
}

fn after_attributes(tokens: &[String], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|token| token == "#") {
        while tokens.get(at).is_some_and(|token| token != "]") {
            at += 1;
        }
        at += 1;
    }
    at.min(tokens.len())
}

fn first_three<'a>(mut tokens: impl Iterator<Item = &'a str>) -> [Option<&'a str>; 3] {
    [tokens.next(), tokens.next(), tokens.next()]
}

fn positions(tokens: &[String], pattern: &[&str]) -> Vec<usize> {
    let windows = tokens.windows(pattern.len()).enumerate();
    windows
        .filter(|(_, window)| window.iter().eq(pattern.iter()))
        .map(|(at, _)| at)
        .collect()
}

fn is_word(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Words, `::` and single characters; comments and literals are gone.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = literal(rest) {
            length
        } else if is_word(rest) {
            let end = rest
                .find(|next: char| !next.is_alphanumeric() && next != '_')
                .unwrap_or(rest.len());
            tokens.push(rest[..end].to_owned());
            end
        } else {
            let length = if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                tokens.push(rest[..length].to_owned());
            }
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// Bytes of the string or character literal that `text` begins with.
fn literal(text: &str) -> Option<usize> {
    let prefix = text.find(|next| next != 'b' && next != 'c' && next != 'r' && next != '#')?;
    let (opening, body) = text.split_at(prefix);
    if prefix <= 8 && body.starts_with('"') {
        if opening.contains('r') {
            let end = format!("\"{}", "#".repeat(opening.matches('#').count()));
            return body[1..].find(&end).map(|at| prefix + 1 + at + end.len());
        }
        return (!opening.contains('#')).then(|| prefix + quoted(body, '"'));
    }
    // A lifetime has no closing quote after one character.
    let character = text.strip_prefix('b').unwrap_or(text).strip_prefix('\'')?;
    let mut characters = character.chars();
    let first = characters.next()?;
    if first == '\\' || characters.next() == Some('\'') {
        let skipped = text.len() - character.len() - 1;
        return Some(skipped + quoted(&text[skipped..], '\''));
    }
    None
}

/// Bytes of a literal with its quotes, escapes heeded.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
