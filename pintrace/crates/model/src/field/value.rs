//! Values of fields.

use std::borrow::Cow;
use std::cmp::Ordering;

use pintrace_events::units::Nanos;

use crate::text;

/// A value. Its type lets views sort it and metrics export it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Pages, or a number of objects.
    Count(u64),
    /// An id, always with every digit.
    Id(u64),
    /// Bytes.
    Bytes(u64),
    /// A difference.
    Signed(i64),
    /// A rate per second.
    Rate(f64),
    /// A time span.
    Span(Nanos),
    /// A moment. Views show the time that has passed since then: see [`Value::at`].
    Since(Nanos),
    /// An unknown moment before this one. Views show that more time has passed since: see [`Value::at`].
    Before(Nanos),
    /// A time span that is longer than this one.
    MoreThan(Nanos),
    /// A part and its whole.
    Share(u64, u64),
    /// Text of pintrace or of other processes. Text of other processes may contain control characters, which
    /// [`Value::text`] escapes.
    Text(Cow<'a, str>),
    /// Unknown or meaningless value.
    Absent,
}

impl Value<'_> {
    /// Returns the moment of the oldest pin: `since` if the session saw all pins, else before `older_than`.
    pub(super) fn oldest(since: Option<Nanos>, older_than: Option<Nanos>) -> Value<'static> {
        let before = older_than.map(Value::Before);
        before
            .or_else(|| since.map(Value::Since))
            .unwrap_or(Value::Absent)
    }

    /// Returns the value with a text of its own.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Count(count) => Value::Count(count),
            Self::Id(id) => Value::Id(id),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Signed(count) => Value::Signed(count),
            Self::Rate(rate) => Value::Rate(rate),
            Self::Span(span) => Value::Span(span),
            Self::Since(since) => Value::Since(since),
            Self::Before(moment) => Value::Before(moment),
            Self::MoreThan(span) => Value::MoreThan(span),
            Self::Share(part, whole) => Value::Share(part, whole),
            Self::Text(text) => Value::Text(text.into_owned().into()),
            Self::Absent => Value::Absent,
        }
    }

    /// Returns the value as it is at `now`, the time of the snapshot.
    #[must_use]
    pub fn at(self, now: Nanos) -> Self {
        match self {
            Self::Since(since) => Self::Span(now.since(since)),
            Self::Before(moment) => Self::MoreThan(now.since(moment)),
            other => other,
        }
    }

    /// Returns the value as views show it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Count(count) => text::count(*count),
            Self::Id(id) => id.to_string(),
            Self::Bytes(bytes) => text::bytes(*bytes),
            Self::Signed(count) => text::signed(*count),
            Self::Rate(rate) => text::rate(*rate),
            Self::Span(span) => text::span(*span),
            Self::Since(since) => text::span(*since),
            Self::Before(span) | Self::MoreThan(span) => format!(">{}", text::span(*span)),
            Self::Share(part, whole) => text::share(*part, *whole),
            Self::Text(text) => text::printable(text),
            Self::Absent => "-".into(),
        }
    }

    /// Returns the value as a report shows it: counts keep every digit, so that sums can be checked.
    #[must_use]
    pub fn exact(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            other => other.text(),
        }
    }

    /// Returns the value as a metric exports it: times in seconds, shares as ratios.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "Prometheus samples are f64")]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Count(count) | Self::Id(count) | Self::Bytes(count) => Some(*count as f64),
            Self::Signed(count) => Some(*count as f64),
            Self::Rate(rate) => Some(*rate),
            Self::Span(span) => Some(span.as_secs()),
            Self::Since(_)
            | Self::Before(_)
            | Self::MoreThan(_)
            | Self::Share(_, 0)
            | Self::Text(_)
            | Self::Absent => None,
            Self::Share(part, whole) => Some(*part as f64 / *whole as f64),
        }
    }

    /// Compares two values of a sorted column: numbers largest first, ids and moments smallest first, text by alphabet,
    /// absent values last.
    #[must_use]
    pub fn rank(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::Id(one), Self::Id(two)) => one.cmp(two),
            (Self::Since(one), Self::Since(two)) | (Self::Before(one), Self::Before(two)) => one.cmp(two),
            // Nothing that the session saw is older than what was there before the session.
            (Self::Before(_), Self::Since(_)) | (Self::Since(_) | Self::Before(_), Self::Absent) => {
                Ordering::Less
            }
            (Self::Since(_), Self::Before(_)) | (Self::Absent, Self::Since(_) | Self::Before(_)) => {
                Ordering::Greater
            }
            (Self::Count(one), Self::Count(two)) | (Self::Bytes(one), Self::Bytes(two)) => two.cmp(one),
            _ => {
                let number = |value: &Self| value.number().unwrap_or(f64::NEG_INFINITY);
                number(other).total_cmp(&number(self))
            }
        }
    }
}
