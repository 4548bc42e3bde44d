//! Text cut and padded to a width in terminal columns, where a character may take none, one or two.
//!
//! Knows nothing of what the text means; foreign names come here as [`pintrace_model::text::printable`]
//! made them.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What a cut text ends with.
const CUT: char = '…';

/// Columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text, or as much of its beginning as fits with an ellipsis.
pub(super) fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(1);
    let mut kept = String::with_capacity(columns);
    let mut used = 0;
    for char in text.chars() {
        let wide = char.width().unwrap_or(0);
        if used + wide > room {
            break;
        }
        used += wide;
        kept.push(char);
    }
    if columns > 0 {
        kept.push(CUT);
    }
    Cow::Owned(kept)
}

/// Cut and filled up on the right: exactly `columns` wide.
pub(super) fn left(text: &str, columns: usize) -> String {
    let mut cell = cut(text, columns).into_owned();
    let missing = columns.saturating_sub(cell.width());
    cell.extend(std::iter::repeat_n(' ', missing));
    cell
}

/// Cut and filled up on the left: exactly `columns` wide.
pub(super) fn right(text: &str, columns: usize) -> String {
    let cell = cut(text, columns);
    let mut padded = " ".repeat(columns.saturating_sub(cell.width()));
    padded.push_str(&cell);
    padded
}

/// Words on lines of at most `columns`; a longer word is cut.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(cut(word, columns).into_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_counts_columns_not_characters() {
        assert_eq!(cut("io_uring", 8), "io_uring");
        assert_eq!(cut("io_uring", 5), "io_u…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn padding_is_exact_for_wide_characters() {
        for text in ["", "a", "日本語処理", "e\u{301}e\u{301}", "abcdefghij"] {
            assert_eq!(width(&left(text, 6)), 6, "{text:?}");
            assert_eq!(width(&right(text, 6)), 6, "{text:?}");
        }
        assert_eq!(left("日本語", 4), "日… ");
    }

    #[test]
    fn words_wrap_within_the_width() {
        assert_eq!(wrapped("who holds pins", 9), ["who holds", "pins"]);
        assert_eq!(wrapped("unaccounted", 5), ["unac…"]);
        assert!(wrapped("  ", 5).is_empty());
    }
}
