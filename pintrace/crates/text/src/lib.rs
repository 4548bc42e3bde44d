//! Text measured in terminal columns: cut, padded and wrapped. Counts with their nouns.
//!
//! A character takes 0, 1 or 2 columns of a terminal. `unicode-width` counts columns and `textwrap` breaks lines.
//! Callers must escape names of other processes with `printable` of the model first.

mod number;

pub use number::{counted, noun};

use std::borrow::Cow;

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Last character of a cut text.
const ELLIPSIS: char = '…';

/// Returns the number of columns that a text takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// Returns the text, or the longest beginning of the text that fits into `columns` with an ellipsis.
#[must_use]
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(1);
    let mut kept = String::with_capacity(columns);
    let mut used = 0;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > room {
            break;
        }
        kept.push(character);
    }
    if columns > 0 {
        kept.push(ELLIPSIS);
    }
    Cow::Owned(kept)
}

/// Returns the longest end of the text that fits into `columns`.
#[must_use]
pub fn tail(text: &str, columns: usize) -> &str {
    let mut starts = text.char_indices().map(|(start, _)| start);
    let start = starts.find(|start| text[*start..].width() <= columns);
    start.map_or("", |start| &text[start..])
}

/// Returns the text cut or padded on the right to exactly `columns`.
#[must_use]
pub fn pad_right(text: &str, columns: usize) -> String {
    let mut padded = cut(text, columns).into_owned();
    let missing = columns.saturating_sub(padded.width());
    padded.extend(std::iter::repeat_n(' ', missing));
    padded
}

/// Returns the text cut or padded on the left to exactly `columns`.
#[must_use]
pub fn pad_left(text: &str, columns: usize) -> String {
    let kept = cut(text, columns);
    let mut padded = " ".repeat(columns.saturating_sub(kept.width()));
    padded.push_str(&kept);
    padded
}

/// Returns the words in lines of at most `columns`. A word that is longer than a line is broken too.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    wrap_after("", text, columns)
}

/// Returns lines like [`wrap`]. The first line begins with `label`, and the other lines are indented by its width.
#[must_use]
pub fn wrap_after(label: &str, text: &str, columns: usize) -> Vec<String> {
    let indent = " ".repeat(label.width());
    let options = Options::new(columns.max(indent.len() + 1))
        .initial_indent(label)
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        // A hyphen joins the words of a name, such as `cow-after-pin`.
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return Vec::new();
    }
    let lines = textwrap::wrap(&words, options);
    lines.into_iter().map(Cow::into_owned).collect()
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
        assert_eq!(cut("漢字漢字", 7), "漢字漢…");
        assert_eq!(cut("漢字漢字", 6), "漢字…");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn the_tail_is_the_end_that_fits() {
        assert_eq!(tail("io_uring", 8), "io_uring");
        assert_eq!(tail("io_uring", 4), "ring");
        assert_eq!(tail("日本語", 3), "語");
        assert_eq!(tail("日本語", 0), "");
    }

    #[test]
    fn padding_is_exact_for_wide_characters() {
        for text in ["", "a", "日本語処理", "e\u{301}e\u{301}", "abcdefghij"] {
            assert_eq!(width(&pad_right(text, 6)), 6, "{text:?}");
            assert_eq!(width(&pad_left(text, 6)), 6, "{text:?}");
        }
        assert_eq!(pad_right("日本語", 4), "日… ");
    }

    #[test]
    fn words_wrap_within_the_width() {
        assert_eq!(wrap("pages held by pins", 10), ["pages held", "by pins"]);
        assert_eq!(wrap("lost 0   probes 17", 17), ["lost 0 probes 17"]);
        assert_eq!(wrap("pin-in-flush-window", 19), ["pin-in-flush-window"]);
        assert!(wrap("  ", 5).is_empty());
    }

    #[test]
    fn a_word_longer_than_the_line_loses_nothing() {
        assert_eq!(wrap("unaccounted 0", 6), ["unacco", "unted", "0"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
    }

    #[test]
    fn lines_after_the_first_are_indented_by_the_width_of_the_label() {
        assert_eq!(
            wrap_after("  key  ", "what it does", 14),
            ["  key  what it", "       does"]
        );
    }
}
