//! The catalogue: every column and metric, once.
//!
//! Text columns, TUI columns, metrics, `--help` and the README's tables are drawn from it. It knows
//! how to get a value out of a snapshot, and not how any view lays it out.

use std::borrow::Cow;
use std::cmp::Ordering;

use pintrace_events::units::Nanos;

use super::text;

pub mod finding;
pub mod finding_column;
pub mod header;
pub mod metric;
pub mod process;
pub mod subsystem;
pub mod window;

/// One thing that can be shown of a `T`.
#[derive(Debug)]
pub struct Field<T: 'static> {
    /// Its key: for `--sort`, configuration and tests. Never changes.
    pub id: &'static str,
    /// Heading, short enough for a narrow column.
    pub title: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// One sentence.
    pub help: &'static str,
    /// The metric that carries it, if one does.
    pub metric: Option<Metric>,
    /// Where it stands in a column.
    pub align: Align,
    /// Which columns go first when room is short: the highest number does, 0 never goes.
    pub drop_rank: u8,
    /// The value.
    pub value: for<'a> fn(&'a T) -> Value<'a>,
}

/// A Prometheus metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Full name.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
}

impl Metric {
    /// A value that only grows; its name ends in `_total`.
    const fn counter(name: &'static str) -> Self {
        Self {
            name,
            kind: MetricKind::Counter,
        }
    }

    /// A value that goes up and down.
    const fn gauge(name: &'static str) -> Self {
        Self {
            name,
            kind: MetricKind::Gauge,
        }
    }
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

impl MetricKind {
    /// As a `# TYPE` line says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// What a field counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Pages as the kernel counts pins.
    Pages,
    /// Bytes.
    Bytes,
    /// Pages a second.
    PagesPerSecond,
    /// Time.
    Time,
    /// Per cent of the whole.
    Share,
    /// Things.
    Count,
    /// Words.
    Name,
}

impl Unit {
    /// As tables of documentation say it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Bytes => "bytes",
            Self::PagesPerSecond => "pages/s",
            Self::Time => "time",
            Self::Share => "%",
            Self::Count => "count",
            Self::Name => "name",
        }
    }
}

/// Where a value stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// A value, typed so that views can sort it and metrics can export it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Pages, or a count of things.
    Count(u64),
    /// An id: never shortened.
    Id(u64),
    /// Bytes.
    Bytes(u64),
    /// A difference.
    Signed(i64),
    /// Per second.
    Rate(f64),
    /// Time.
    Span(Nanos),
    /// A part of a whole.
    Share(u64, u64),
    /// Words of our own or of others; others' may hold anything, [`Value::text`] makes them printable.
    Text(Cow<'a, str>),
    /// Not known, or without meaning here.
    Absent,
}

impl Value<'_> {
    /// As views show it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Count(count) => text::count(*count),
            Self::Id(id) => id.to_string(),
            Self::Bytes(bytes) => text::bytes(*bytes),
            Self::Signed(count) => text::signed(*count),
            Self::Rate(rate) => text::rate(*rate),
            Self::Span(span) => text::span(*span),
            Self::Share(part, whole) => text::share(*part, *whole),
            Self::Text(words) => text::printable(words),
            Self::Absent => "-".into(),
        }
    }

    /// As a report shows it: counts with every digit, for people who add them up.
    #[must_use]
    pub fn exact(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            other => other.text(),
        }
    }

    /// As a metric exports it: times in seconds, shares as ratios.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "Prometheus samples are f64")]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Count(count) | Self::Id(count) | Self::Bytes(count) => Some(*count as f64),
            Self::Signed(count) => Some(*count as f64),
            Self::Rate(rate) => Some(*rate),
            Self::Span(span) => Some(span.as_secs()),
            Self::Share(_, 0) | Self::Text(_) | Self::Absent => None,
            Self::Share(part, whole) => Some(*part as f64 / *whole as f64),
        }
    }

    /// Order in a sorted column: numbers largest first, words by alphabet, what is absent last.
    #[must_use]
    pub fn rank(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::Id(one), Self::Id(two)) => one.cmp(two),
            (Self::Count(one), Self::Count(two)) | (Self::Bytes(one), Self::Bytes(two)) => two.cmp(one),
            _ => {
                let number = |value: &Self| value.number().unwrap_or(f64::NEG_INFINITY);
                number(other).total_cmp(&number(self))
            }
        }
    }
}
