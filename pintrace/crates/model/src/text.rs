//! Text of quantities and names, the same in every view.
//!
//! Names come from other users' processes: characters that could control a terminal are escaped.

mod time_span;

pub use time_span::span;

use std::fmt::Write as _;

/// Returns bytes with a binary unit, at most 8 characters: `4 KiB`, `1.5 MiB`, `100 GiB`.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut scaled = as_float(bytes) / 1024.0;
    let mut unit = 0;
    // 999.5 would print as 1000, which has one character too many.
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(scaled < 9.95 && scaled.fract() > 0.0);
    format!("{scaled:.digits$} {}", UNITS[unit])
}

/// Returns a count with every digit up to 99,999, and shortened from there on: `12345`, `1.2M`.
#[must_use]
pub fn count(count: u64) -> String {
    if count < 100_000 {
        count.to_string()
    } else {
        shorten(as_float(count))
    }
}

/// Returns a signed count with every digit: a difference must not be rounded to 0.
#[must_use]
pub fn signed(count: i64) -> String {
    count.to_string()
}

/// Returns a difference of bytes: `4 KiB`, `-1.5 MiB`. A difference is shown as 0 only if it is 0.
#[must_use]
pub fn signed_bytes(difference: i64) -> String {
    let sign = if difference < 0 { "-" } else { "" };
    format!("{sign}{}", bytes(difference.unsigned_abs()))
}

/// Returns a rate: `0`, `0.4`, `350`, `12k`.
#[must_use]
pub fn rate(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 || !rate.is_finite() => "0".into(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate if rate < 9_999.5 => format!("{rate:.0}"),
        rate => shorten(rate),
    }
}

/// Returns a time as `2026-11-22 13:43:00 UTC`.
#[must_use]
pub fn utc(ns_since_1970: u64) -> String {
    let seconds = ns_since_1970 / 1_000_000_000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Days from 1 March of year 0, in eras of 400 years of 146,097 days each.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = era * 400 + year + carry;
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} UTC",
        second % 60
    )
}

/// Returns a share of a whole: `100%`; empty if the whole is 0.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return String::new();
    }
    let percent = as_float(part) * 100.0 / as_float(whole);
    // `0%` and `100%` are shown only if they are exact.
    let percent = if part < whole { percent.min(99.0) } else { percent };
    let percent = if part > 0 { percent.max(1.0) } else { percent };
    format!("{percent:.0}%")
}

/// Returns a name of another process with control and direction characters escaped, safe for a terminal.
#[must_use]
pub fn printable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_control() || is_invisible(character) {
            let _ = write!(text, "{}", character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

/// Returns true for zero-width and bidirectional controls, which hide or reorder adjacent text.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn shorten(count: f64) -> String {
    const UNITS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    let mut scaled = count / 1000.0;
    let mut unit = 0;
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(scaled < 9.95);
    format!("{scaled:.digits$}{}", UNITS[unit])
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn as_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_bytes_has_its_sign() {
        let texts = [0, 1, -4096, 3 << 19, i64::MIN].map(signed_bytes);
        assert_eq!(texts, ["0 B", "1 B", "-4 KiB", "1.5 MiB", "-8 EiB"]);
    }

    #[test]
    fn bytes_have_at_most_three_digits() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (4096, "4 KiB"),
            (256 * 1024, "256 KiB"),
            (1000 * 1024, "1.0 MiB"),
            (3 << 19, "1.5 MiB"),
            (100 << 30, "100 GiB"),
            (u64::MAX, "16 EiB"),
        ];
        for (value, text) in cases {
            assert_eq!(bytes(value), text);
        }
    }

    #[test]
    fn counts_keep_their_digits_while_they_fit() {
        assert_eq!(count(99_999), "99999");
        assert_eq!(count(1_234_567), "1.2M");
        assert_eq!(count(999_999), "1.0M");
        assert_eq!(count(u64::MAX), "18E");
    }

    #[test]
    fn rates_are_rounded_to_at_most_three_digits() {
        let cases = [
            (0.0, "0"),
            (0.44, "0.4"),
            (350.2, "350"),
            (1_000_000.0, "1.0M"),
            (f64::NAN, "0"),
        ];
        for (value, text) in cases {
            assert_eq!(rate(value), text);
        }
    }

    #[test]
    fn times_follow_the_gregorian_calendar() {
        let cases = [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_764_000_000, "2025-11-24 16:00:00 UTC"),
            (4_107_542_399, "2100-02-28 23:59:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ];
        for (seconds, text) in cases {
            assert_eq!(utc(seconds * 1_000_000_000), text);
        }
        assert!(utc(u64::MAX).starts_with("2554-"));
    }

    #[test]
    fn a_share_of_0_or_100_percent_is_exact() {
        assert_eq!(share(1, 1_000_000), "1%");
        assert_eq!(share(999_999, 1_000_000), "99%");
        assert_eq!(share(5, 5), "100%");
        assert_eq!(share(0, 0), "");
    }

    #[test]
    fn control_characters_in_names_are_escaped() {
        assert_eq!(printable("a\x1b[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
    }
}
