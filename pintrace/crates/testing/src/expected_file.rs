//! Compares files with generated text. `INSTA_UPDATE=always cargo test` rewrites the files, and also the snapshots of
//! insta.

use std::fs;
use std::path::Path;

/// Returns true if tests rewrite the files instead of comparing.
pub fn is_updating() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always")
}

/// Compares a text file with its expected content, or rewrites the file.
///
/// # Panics
///
/// Panics if the file cannot be read or written, or has other content.
#[track_caller]
#[expect(clippy::panic, reason = "the assertion of a test")]
pub fn assert_file(path: &Path, expected: &str) {
    let name = path.display();
    // A file that is right stays untouched: tests beside this one may read it.
    let is_right = || fs::read_to_string(path).is_ok_and(|text| text == expected);
    if is_updating() && !is_right() {
        fs::write(path, expected).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    if text == expected {
        return;
    }
    let mut pairs = text.lines().zip(expected.lines());
    let line = pairs.position(|(one, other)| one != other);
    let line = line.unwrap_or_else(|| text.lines().count().min(expected.lines().count()));
    panic!(
        "{name} differs in line {}; INSTA_UPDATE=always rewrites it\n  file:     {}\n  expected: {}",
        line + 1,
        text.lines().nth(line).unwrap_or_default(),
        expected.lines().nth(line).unwrap_or_default(),
    );
}

/// Returns `document` with `block` in place of the lines between the line `<!-- NAME -->` and the next `<!-- end -->`.
/// `None` if the document lacks these marks.
pub fn with_block(document: &str, name: &str, block: &str) -> Option<String> {
    let begin = format!("<!-- {name} -->\n");
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once("<!-- end -->")?;
    Some(format!("{before}{begin}{block}<!-- end -->{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_block_is_replaced_and_the_rest_is_kept() {
        let document = "a\n<!-- table -->\nold\n<!-- end -->\nb\n";
        let expected = "a\n<!-- table -->\nnew\n<!-- end -->\nb\n";
        assert_eq!(with_block(document, "table", "new\n").as_deref(), Some(expected));
        assert_eq!(with_block(document, "other", "new\n"), None);
    }
}
