//! Values of a query, parsed by the unit of the field.

use std::borrow::Cow;

use pintrace_events::units::Nanos;
use pintrace_model::field::Unit;
use winnow::combinator::repeat;
use winnow::prelude::*;
use winnow::token::{rest, take_while};

use super::number::{Number, decimal};
use super::unit::{DECIMAL, TIME, bytes, looked_up};

/// Parses a value of a field that is no name. A blank may stand between the number and its unit. `None` if it is no such
/// value.
pub(crate) fn number(text: &str, unit: Unit) -> Option<Number> {
    let joined = joined(text);
    let text = joined.as_ref();
    match unit {
        Unit::Pages => signed(text, |suffix| looked_up(&DECIMAL, suffix)),
        Unit::Count => scaled(text, |suffix| looked_up(&DECIMAL, suffix)),
        Unit::PagesPerSecond => {
            let text = text.strip_suffix("/s").unwrap_or(text);
            scaled(text, |suffix| looked_up(&DECIMAL, suffix))
        }
        Unit::Bytes => signed(text, bytes),
        Unit::Time => time(text),
        Unit::Share => share(text),
        Unit::Address => address(text),
        Unit::Name => None,
    }
}

/// Returns the number and its unit without the blank between them.
fn joined(text: &str) -> Cow<'_, str> {
    match text.split_once(' ') {
        Some((number, unit))
            if is_digits(number.trim_start_matches('-'))
                && unit.starts_with(|first| !char::is_numeric(first)) =>
        {
            Cow::Owned(format!("{number}{unit}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Returns true for digits, with a fraction or without.
pub(crate) fn is_digits(text: &str) -> bool {
    decimal.parse(text).is_ok()
}

/// Parses a time such as `90s` or `2m30s`, as queries write it. `None` if it is no time, or too long.
#[must_use]
pub fn duration(text: &str) -> Option<Nanos> {
    time(text)?.whole_part().map(Nanos)
}

/// Returns what a value of a unit can be, with examples.
pub(crate) const fn accepted(unit: Unit) -> &'static [&'static str] {
    match unit {
        Unit::Pages | Unit::Count => &["a number: 12, 10k, 2M"],
        Unit::PagesPerSecond => &["a number a second: 0.5, 350, 10k"],
        Unit::Bytes => &["bytes: 4096, 4K, 64KiB, 1.5GiB"],
        Unit::Time => &["a time: 500ms, 5s, 2m30s, 1h, 3d"],
        Unit::Share => &["a share: 50%, 0.5"],
        Unit::Address => &["an address: 0x7f0000001000"],
        Unit::Name => &["text"],
    }
}

/// Parses a number and its suffix.
fn scaled(text: &str, factor: impl Fn(&str) -> Option<u128>) -> Option<Number> {
    let (number, suffix) = (decimal, rest).parse(text).ok()?;
    number.times(factor(suffix)?)
}

/// Parses a number and its suffix, with a minus before a change that is less than zero.
fn signed(text: &str, factor: impl Fn(&str) -> Option<u128>) -> Option<Number> {
    match text.strip_prefix('-') {
        Some(text) => Some(scaled(text, factor)?.negative()),
        None => scaled(text, factor),
    }
}

/// Parses one or more numbers with units, such as 2m30s.
fn time(text: &str) -> Option<Number> {
    let unit = take_while(1.., char::is_alphabetic);
    let part =
        (decimal, unit).verify_map(|(number, unit): (Number, &str)| number.times(looked_up(&TIME, unit)?));
    let parts: Vec<Number> = repeat(1.., part).parse(text).ok()?;
    parts
        .into_iter()
        .try_fold(Number::ZERO, |sum: Number, part| sum.plus(part))
}

/// Parses 50% or 0.5. A number above 1 without a percent sign is refused: it would match nothing.
fn share(text: &str) -> Option<Number> {
    let (number, sign) = (decimal, rest).parse(text).ok()?;
    match sign {
        "%" => number.percent(),
        "" if number.order_of(1).is_ge() => Some(number),
        _ => None,
    }
}

/// Parses digits, or hexadecimal digits after 0x. A sign, which `from_str_radix` takes, is refused.
fn address(text: &str) -> Option<Number> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = hexadecimal.map_or((text, 10), |digits| (digits, 16));
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, radix).ok().map(Number::whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;

    fn is(text: &str, unit: Unit, value: u64) {
        let number = number(text, unit);
        assert_eq!(
            number.map(|number| number.order_of(value)),
            Some(Ordering::Equal),
            "{text}"
        );
    }

    fn are_refused(unit: Unit, texts: &[&str]) {
        for text in texts {
            assert_eq!(number(text, unit), None, "{text}");
        }
    }

    #[test]
    fn counts_have_decimal_suffixes() {
        is("12", Unit::Count, 12);
        is("10k", Unit::Pages, 10_000);
        is("1.5M", Unit::Pages, 1_500_000);
        is("18446744073709551615", Unit::Count, u64::MAX);
        are_refused(
            Unit::Count,
            &["", "-1", "1Ki", "k", "1e3x", "0x10", "1.", ".5", "1 0"],
        );
    }

    #[test]
    fn changes_have_a_sign() {
        let less = |text: &str, unit| number(text, unit).unwrap().order_of_signed(-4096);
        assert_eq!(less("-4096", Unit::Pages), Ordering::Equal);
        assert_eq!(less("-4KiB", Unit::Bytes), Ordering::Equal);
        assert_eq!(less("-4 KiB", Unit::Bytes), Ordering::Equal);
        are_refused(Unit::Pages, &["--1", "-", "- 1", "+1"]);
        are_refused(Unit::Time, &["-1s"]);
    }

    #[test]
    fn bytes_have_binary_units() {
        is("4096", Unit::Bytes, 4096);
        is("4K", Unit::Bytes, 4096);
        is("64KiB", Unit::Bytes, 65_536);
        is("1.5GiB", Unit::Bytes, 3 << 29);
        is("100b", Unit::Bytes, 100);
        is("15eib", Unit::Bytes, 15 << 60);
        are_refused(
            Unit::Bytes,
            &["4KB", "4iB", "4i", "4KiBs", "KiB", "4 4KiB", "4  KiB"],
        );
        is("4 KiB", Unit::Bytes, 4096);
    }

    #[test]
    fn times_are_sums_of_parts() {
        is("500ms", Unit::Time, 500_000_000);
        is("2m30s", Unit::Time, 150_000_000_000);
        is("1.5h", Unit::Time, 5_400_000_000_000);
        is("3d", Unit::Time, 259_200_000_000_000);
        is("12d03h", Unit::Time, 1_047_600_000_000_000);
        is("1us1ns", Unit::Time, 1_001);
        is("5 s", Unit::Time, 5_000_000_000);
        are_refused(Unit::Time, &["5", "5x", "s", "5s3", "5min"]);
    }

    #[test]
    fn shares_are_percentages_or_parts_of_one() {
        let share = |text| number(text, Unit::Share).map(|number| number.order_of_share(1, 2));
        assert_eq!(share("50%"), Some(Ordering::Equal));
        assert_eq!(share("0.5"), Some(Ordering::Equal));
        assert_eq!(share("50.1%"), Some(Ordering::Less));
        assert_eq!(share("1"), Some(Ordering::Less));
        are_refused(Unit::Share, &["50", "1.01", "50%%", "%", "half"]);
    }

    #[test]
    fn addresses_are_hexadecimal_or_decimal() {
        is("0x1000", Unit::Address, 4096);
        is("4096", Unit::Address, 4096);
        are_refused(
            Unit::Address,
            &["0x", "1000h", "0x10000000000000000", "+1", "0x+1"],
        );
    }
}
