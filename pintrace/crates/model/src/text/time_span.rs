//! Text of time spans.

use pintrace_events::units::Nanos;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// Returns a time span, rounded, with one or two units: `1.8ms`, `350ms`, `4.2s`, `3m12s`, `5h04m`, `12d03h`.
#[must_use]
pub fn span(span: Nanos) -> String {
    match span.0 {
        span @ ..MICROSECOND => format!("{span}ns"),
        span if rounded(span, MICROSECOND) < 1_000 => two_digits(span, MICROSECOND, "us"),
        span if rounded(span, MILLISECOND) < 1_000 => two_digits(span, MILLISECOND, "ms"),
        span if rounded(span, SECOND) < 60 => two_digits(span, SECOND, "s"),
        span => two_units(span),
    }
}

/// Returns a span in a unit, with a decimal below 10.
fn two_digits(span: u64, unit: u64, name: &str) -> String {
    match rounded(span, unit / 10) {
        tenths @ ..100 => format!("{}.{}{name}", tenths / 10, tenths % 10),
        _ => format!("{}{name}", rounded(span, unit)),
    }
}

/// Returns a span of a minute or more.
fn two_units(span: u64) -> String {
    let (seconds, minutes, hours) = (rounded(span, SECOND), rounded(span, MINUTE), rounded(span, HOUR));
    match (seconds, minutes) {
        (..3_600, _) => format!("{}m{:02}s", seconds / 60, seconds % 60),
        (_, ..1_440) => format!("{}h{:02}m", minutes / 60, minutes % 60),
        _ => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

/// Returns the number of units in a span, to the nearest.
fn rounded(span: u64, unit: u64) -> u64 {
    span / unit + u64::from(span % unit >= unit.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_texts(cases: &[(u64, &str)]) {
        for (value, text) in cases {
            assert_eq!(span(Nanos(*value)), *text, "{value}");
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        assert_texts(&[
            (0, "0ns"),
            (999, "999ns"),
            (350_000_000, "350ms"),
            (4_200_000_000, "4.2s"),
            (192 * SECOND, "3m12s"),
            (18_240 * SECOND, "5h04m"),
            (1_047_600 * SECOND, "12d03h"),
            (u64::MAX, "213504d00h"),
        ]);
    }

    #[test]
    fn spans_are_rounded_to_two_digits_or_to_their_last_unit() {
        assert_texts(&[
            (1_000, "1.0us"),
            (1_769_778, "1.8ms"),
            (16_965_000, "17ms"),
            (18_959_000_000, "19s"),
            (24_980_000_000, "25s"),
            (9_949_999, "9.9ms"),
            (9_950_000, "10ms"),
            (89_700 * MILLISECOND, "1m30s"),
            (2 * HOUR - 20 * SECOND, "2h00m"),
        ]);
    }

    #[test]
    fn a_span_that_rounds_to_the_next_unit_has_that_unit() {
        assert_texts(&[
            (999_499, "999us"),
            (999_500, "1.0ms"),
            (999_500_000, "1.0s"),
            (59_499 * MILLISECOND, "59s"),
            (59_500 * MILLISECOND, "1m00s"),
            (HOUR - SECOND / 2, "1h00m"),
            (24 * HOUR - 30 * SECOND, "1d00h"),
        ]);
    }
}
