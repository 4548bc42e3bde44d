//! The values of settings as text, and back.

use std::fmt::Write as _;
use std::time::Duration;

use pintrace_tui::look::ColourPalette;
use pintrace_tui::{Sort, View, catalogue};

use super::nearest::{Unknown, find};
use super::setting::Colours;

/// The word after a column that reverses its order.
const REVERSED: &str = "reversed";

/// Parses the id of a view.
pub(super) fn view(text: &str) -> Result<View, Unknown> {
    find("view", text, View::ALL, View::id)
}

/// Parses the name of a palette.
pub(super) fn palette(text: &str) -> Result<ColourPalette, Unknown> {
    find("palette", text, ColourPalette::ALL, ColourPalette::as_str)
}

/// Parses a number of colours.
pub(super) fn colours(text: &str) -> Result<Colours, Unknown> {
    find("number of colours", text, Colours::ALL, Colours::as_str)
}

/// Parses the order of a view: the id of a column, and `reversed` after it or not.
pub(super) fn sort(text: &str, view: View) -> Result<Sort, Unknown> {
    let (column, reversed) = match text.trim().rsplit_once(char::is_whitespace) {
        Some((column, REVERSED)) => (column.trim_end(), true),
        _ => (text.trim(), false),
    };
    let column = find("column of the view", column, catalogue::sort_keys(view), |id| id)?;
    Ok(Sort { column, reversed })
}

/// Returns the text that [`sort`] parses.
pub(super) fn sort_text(sort: Sort) -> String {
    if sort.reversed {
        format!("{} {REVERSED}", sort.column)
    } else {
        sort.column.to_owned()
    }
}

/// Returns the text of a time, which `--interval` takes too.
pub(super) fn time(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{}s", time.as_secs())
    } else if time.subsec_nanos().is_multiple_of(1_000_000) {
        format!("{}ms", time.as_millis())
    } else {
        format!("{}s", time.as_secs_f64())
    }
}

/// Returns a text as a string of TOML in one line, without control characters.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            // Escapes invisible characters too, which would hide or reorder the text.
            char if pintrace_model::text::printable(char.encode_utf8(&mut [0; 4])).len()
                != char.len_utf8() =>
            {
                let _ = write!(quoted, "\\U{:08X}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}
