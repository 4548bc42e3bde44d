//! The test of one row.

use std::cmp::Ordering;

use pintrace_events::units::Nanos;
use pintrace_model::field::{Field, Unit, Value};
use regex::Regex;

use super::expression::Operator;
use super::number::Number;
use super::row_fields::WordsOf;

/// A query whose fields are known.
#[derive(Debug)]
pub(crate) enum Test<T: 'static> {
    /// One of the words contains this text, which is in lower case.
    Word(String),
    Field(&'static Field<T>, Comparison),
    Not(Box<Test<T>>),
    All(Vec<Test<T>>),
    Any(Vec<Test<T>>),
}

/// The right side of a comparison.
#[derive(Debug)]
pub(crate) enum Comparison {
    Number(Operator, Number),
    /// The whole text, in lower case. `false` for `!=`.
    Text(String, bool),
    Pattern(Regex),
}

impl<T> Test<T> {
    pub(crate) fn matches(&self, row: &T, words: WordsOf<T>, now: Nanos) -> bool {
        match self {
            Self::Word(wanted) => words(row, &mut |word| word.to_lowercase().contains(wanted.as_str())),
            Self::Field(field, comparison) => comparison.holds(&(field.value)(row).at(now), field.unit),
            Self::Not(inner) => !inner.matches(row, words, now),
            Self::All(parts) => parts.iter().all(|part| part.matches(row, words, now)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(row, words, now)),
        }
    }
}

impl<T> Test<T> {
    /// Returns true if the field with an id is compared.
    pub(crate) fn uses(&self, id: &str) -> bool {
        match self {
            Self::Word(_) => false,
            Self::Field(field, _) => field.id == id,
            Self::Not(inner) => inner.uses(id),
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.uses(id)),
        }
    }
}

impl Comparison {
    /// Returns false for an unknown value, whatever the operator is.
    fn holds(&self, value: &Value<'_>, unit: Unit) -> bool {
        match self {
            Self::Number(operator, number) => {
                order(value, *number).is_some_and(|order| operator.holds(order))
            }
            Self::Text(wanted, equal) => {
                text_of(value, unit).is_some_and(|text| (text.to_lowercase() == *wanted) == *equal)
            }
            Self::Pattern(pattern) => text_of(value, unit).is_some_and(|text| pattern.is_match(&text)),
        }
    }
}

impl Operator {
    /// Returns true if the operator holds for a value with this order to the number of the query.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Matches => false,
        }
    }
}

/// Compares a value with a number, without rounding; `None` if the value is unknown.
fn order(value: &Value<'_>, number: Number) -> Option<Ordering> {
    match value {
        Value::Count(count) | Value::Id(count) | Value::Bytes(count) => Some(number.order_of(*count)),
        Value::Span(span) => Some(number.order_of(span.0)),
        Value::Signed(count) => Some(number.order_of_signed(i128::from(*count))),
        Value::Rate(rate) => number.order_of_rate(*rate),
        // Longer than the shortest that is possible. Whether it is shorter than a longer time is not known.
        Value::MoreThan(span) if number.order_of(span.0).is_ge() => Some(Ordering::Greater),
        Value::Share(_, 0)
        | Value::Since(_)
        | Value::Before(_)
        | Value::MoreThan(_)
        | Value::Text(_)
        | Value::Absent => None,
        Value::Share(part, whole) => Some(number.order_of_share(*part, *whole)),
    }
}

/// Returns the text of a value: names as they are, counts with every digit, addresses as hexadecimal numbers, other
/// figures as views show them. `None` if the value is unknown.
pub(crate) fn text_of(value: &Value<'_>, unit: Unit) -> Option<String> {
    match value {
        Value::Absent | Value::Share(_, 0) => None,
        Value::Text(text) => Some(text.clone().into_owned()),
        Value::Id(address) if unit == Unit::Address => Some(format!("{address:#x}")),
        value => Some(value.exact()),
    }
}
