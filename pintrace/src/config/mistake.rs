//! A mistake in a file of the configuration, with its place.

use std::path::Path;

use pintrace_model::text::printable;

/// A mistake at a byte of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) offset: usize,
    pub(super) message: String,
}

impl Mistake {
    pub(super) fn new(offset: usize, message: impl Into<String>) -> Self {
        Self {
            offset,
            message: message.into(),
        }
    }

    /// Returns `FILE:LINE:COLUMN: message`, in one line without control characters.
    pub(super) fn describe(&self, text: &str, path: &Path) -> String {
        let (line, column) = line_and_column(text, self.offset);
        let message = self.message.lines().collect::<Vec<_>>().join("; ");
        let path = path.display().to_string();
        format!("{}:{line}:{column}: {}", printable(&path), printable(&message))
    }
}

/// Returns the line and the column of a byte, from 1. Columns count characters.
pub(super) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = 1 + before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, 1 + before[start..].chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_and_column("a\nüx", 4), (2, 2));
        assert_eq!(line_and_column("", 0), (1, 1));
        assert_eq!(line_and_column("ü", 1), (1, 2), "not at a character");
    }

    #[test]
    fn a_message_has_one_line_and_no_control_characters() {
        let mistake = Mistake::new(0, "a\nb\x1b[31m");
        let described = mistake.describe("", Path::new("/x\x1b"));
        assert_eq!(described, "/x\\u{1b}:1:1: a; b\\u{1b}[31m");
    }
}
