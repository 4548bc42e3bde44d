//! One exact value.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use pintrace_model::field::{Unit, Value};
use pintrace_model::text::printable;

/// A value without rounding.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Unsigned(u64),
    Signed(i64),
    /// A rate per second, or a share as a ratio.
    Real(f64),
    /// A time in nanoseconds.
    Time(u64),
    Text(Cow<'a, str>),
    Unknown,
}

impl<'a> Cell<'a> {
    /// Returns the cell of a value. An address is text, because JSON readers with f64 numbers would round 64-bit addresses.
    #[expect(clippy::cast_precision_loss, reason = "a ratio is f64")]
    pub(super) fn of(value: &Value<'a>, unit: Unit) -> Self {
        match value {
            Value::Id(address) if unit == Unit::Address => Self::Text(format!("{address:#x}").into()),
            Value::Count(count) | Value::Id(count) | Value::Bytes(count) => Self::Unsigned(*count),
            Value::Signed(count) => Self::Signed(*count),
            Value::Rate(rate) if rate.is_finite() => Self::Real(*rate),
            Value::Span(time) | Value::Since(time) => Self::Time(time.0),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Rate(_) | Value::Share(_, 0) | Value::Before(_) | Value::MoreThan(_) | Value::Absent => {
                Self::Unknown
            }
            Value::Share(part, whole) => Self::Real(*part as f64 / *whole as f64),
        }
    }

    /// Returns the text of a CSV cell: times in seconds, control characters escaped, an unknown value empty.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Unsigned(count) => count.to_string(),
            Self::Signed(count) => count.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Time(nanoseconds) => seconds(*nanoseconds),
            Self::Text(text) => printable(text),
            Self::Unknown => String::new(),
        }
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unsigned(count) | Self::Time(count) => serializer.serialize_u64(*count),
            Self::Signed(count) => serializer.serialize_i64(*count),
            Self::Real(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Unknown => serializer.serialize_none(),
        }
    }
}

/// Returns a time in seconds with nine decimals.
pub(super) fn seconds(nanoseconds: u64) -> String {
    const SECOND: u64 = 1_000_000_000;
    format!("{}.{:09}", nanoseconds / SECOND, nanoseconds % SECOND)
}
