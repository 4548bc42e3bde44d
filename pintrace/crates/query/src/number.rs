//! Exact decimal numbers: a count or a number of bytes is never rounded to be compared.

use std::cmp::Ordering;

use winnow::ascii::digit1;
use winnow::combinator::{opt, preceded};
use winnow::prelude::*;

/// A number that is `numerator / denominator`, or less than zero by as much. The denominator is a power of ten up to 10^18.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    is_negative: bool,
    numerator: u128,
    denominator: u128,
}

/// Most digits after the point. A u64 times 10^18 fits a u128.
const FRACTION: usize = 18;

impl Number {
    pub(crate) const ZERO: Self = Self {
        is_negative: false,
        numerator: 0,
        denominator: 1,
    };

    /// Returns a whole number.
    pub(crate) fn whole(number: u64) -> Self {
        Self {
            numerator: u128::from(number),
            ..Self::ZERO
        }
    }

    /// Returns the number less than zero by as much.
    pub(crate) fn negative(self) -> Self {
        Self {
            is_negative: self.numerator != 0,
            ..self
        }
    }

    /// Returns the number times a factor; `None` if it is too large.
    pub(crate) fn times(self, factor: u128) -> Option<Self> {
        let numerator = self.numerator.checked_mul(factor)?;
        Some(Self { numerator, ..self })
    }

    /// Returns the hundredth part, for a percentage; `None` if it has too many digits.
    pub(crate) fn percent(self) -> Option<Self> {
        let denominator = self.denominator * 100;
        (denominator <= 10u128.pow(18)).then_some(Self { denominator, ..self })
    }

    /// Returns the sum; `None` if it is too large.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let denominator = self.denominator.max(other.denominator);
        let scaled = |one: Self| one.numerator.checked_mul(denominator / one.denominator);
        Some(Self {
            numerator: scaled(self)?.checked_add(scaled(other)?)?,
            denominator,
            ..self
        })
    }

    /// Returns the number without its fraction; `None` if it is too large.
    pub(crate) fn whole_part(self) -> Option<u64> {
        u64::try_from(self.numerator / self.denominator).ok()
    }

    /// Compares a whole number with this number.
    pub(crate) fn order_of(self, value: u64) -> Ordering {
        self.order_of_signed(i128::from(value))
    }

    /// Compares a whole number of 64 bits, with a sign, with this number.
    pub(crate) fn order_of_signed(self, value: i128) -> Ordering {
        match (value < 0, self.is_negative) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (is_negative, _) => {
                let order = (value.unsigned_abs() * self.denominator).cmp(&self.numerator);
                if is_negative { order.reverse() } else { order }
            }
        }
    }

    /// Compares a part of a whole with this number.
    pub(crate) fn order_of_share(self, part: u64, whole: u64) -> Ordering {
        let part = u128::from(part) * self.denominator;
        // A product beyond u128 is larger than each part.
        self.numerator
            .checked_mul(u128::from(whole))
            .map_or(Ordering::Less, |wanted| part.cmp(&wanted))
    }

    /// Compares a rate with this number; `None` for a rate that is no number.
    #[expect(clippy::cast_precision_loss, reason = "rates are f64")]
    pub(crate) fn order_of_rate(self, rate: f64) -> Option<Ordering> {
        rate.partial_cmp(&(self.numerator as f64 / self.denominator as f64))
    }
}

/// Parses digits, and a fraction if there is one. Fails if the number is too large or too exact.
pub(crate) fn decimal(input: &mut &str) -> ModalResult<Number> {
    (digit1, opt(preceded('.', digit1)))
        .verify_map(|(whole, fraction): (&str, Option<&str>)| {
            let fraction = fraction.unwrap_or_default();
            if fraction.len() > FRACTION {
                return None;
            }
            Some(Number {
                is_negative: false,
                numerator: format!("{whole}{fraction}").parse().ok()?,
                denominator: 10u128.pow(u32::try_from(fraction.len()).ok()?),
            })
        })
        .parse_next(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        decimal.parse(text).unwrap()
    }

    #[test]
    fn neighbours_beyond_the_precision_of_a_float_differ() {
        assert_eq!(number("18446744073709551615").order_of(u64::MAX), Ordering::Equal);
        assert_eq!(
            number("18446744073709551615").order_of(u64::MAX - 1),
            Ordering::Less
        );
        assert_eq!(
            number("9007199254740993.5").order_of(9_007_199_254_740_993),
            Ordering::Less
        );
        assert_eq!(
            number("9007199254740993.5").order_of(9_007_199_254_740_994),
            Ordering::Greater
        );
    }

    #[test]
    fn numbers_below_zero_are_less_the_larger_they_are() {
        let three = number("3.5").negative();
        let orders = [-4, -3, 0, 3].map(|value| three.order_of_signed(value));
        assert_eq!(
            orders,
            [
                Ordering::Less,
                Ordering::Greater,
                Ordering::Greater,
                Ordering::Greater
            ]
        );
        assert_eq!(number("3").order_of_signed(-4), Ordering::Less);
        assert_eq!(number("0").negative().order_of(0), Ordering::Equal);
    }

    #[test]
    fn shares_are_compared_without_a_division() {
        let third = number("0.333333333333333333");
        assert_eq!(third.order_of_share(1, 3), Ordering::Greater);
        assert_eq!(
            number("0.5").order_of_share(u64::MAX / 2, u64::MAX),
            Ordering::Less
        );
        let huge = number("340282366920938463463374607431768211455");
        assert_eq!(huge.order_of_share(u64::MAX, u64::MAX), Ordering::Less);
    }

    #[test]
    fn a_number_that_does_not_fit_is_refused() {
        assert!(decimal.parse("340282366920938463463374607431768211456").is_err());
        assert!(decimal.parse("0.1234567890123456789").is_err());
        assert_eq!(number("340282366920938463463374607431768211455").times(2), None);
    }
}
