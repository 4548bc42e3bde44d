//! The field catalogue: all columns and metrics, each defined once.
//!
//! Text columns, TUI columns, metrics, `--help` and the tables in docs come from the catalogue. The catalogue takes
//! values from a snapshot and leaves the layout to the views.

/// A column without a metric.
macro_rules! column {
    ($id:literal, $title:literal, $unit:ident, $align:ident, $rank:literal, $help:literal, $value:expr) => {
        $crate::field::Field {
            id: $id,
            title: $title,
            unit: $crate::field::Unit::$unit,
            help: $help,
            metric: None,
            align: $crate::field::Align::$align,
            drop_rank: $rank,
            value: $value,
        }
    };
}

pub mod call_site;
pub mod cgroup;
pub mod difference;
mod family;
pub mod finding_column;
pub mod finding_metric;
pub mod folded_finding;
pub mod grid;
pub mod header;
pub mod holder;
pub mod metric;
pub mod more;
pub mod names;
mod own_cost_metric;
pub mod pin;
pub mod pin_call;
mod pin_call_metric;
pub mod process;
pub mod subsystem;
pub mod system;
mod value;
pub mod window;

use std::collections::BTreeMap;

use crate::subsystem::Subsystem;

pub use value::Value;

/// One column or figure of a `T`.
#[derive(Debug)]
pub struct Field<T: 'static> {
    /// Permanent key for `--sort`, configuration and tests.
    pub id: &'static str,
    /// Heading, short enough for a narrow column.
    pub title: &'static str,
    /// Unit of the value.
    pub unit: Unit,
    /// Help in one sentence.
    pub help: &'static str,
    /// The metric that exports the value, if there is one.
    pub metric: Option<Metric>,
    /// Alignment in its column.
    pub align: Align,
    /// Order in which views drop columns that do not fit: the highest number first, 0 never.
    pub drop_rank: u8,
    /// Takes the value from a `T`.
    pub value: for<'a> fn(&'a T) -> Value<'a>,
}

/// A Prometheus metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Full name.
    pub name: &'static str,
    /// Type.
    pub kind: MetricKind,
    /// Names of the labels of each sample.
    pub labels: &'static [&'static str],
}

impl Metric {
    /// A counter; the name ends in `_total`.
    const fn counter(name: &'static str) -> Self {
        Self {
            name,
            kind: MetricKind::Counter,
            labels: &[],
        }
    }

    /// A gauge.
    const fn gauge(name: &'static str) -> Self {
        Self {
            name,
            kind: MetricKind::Gauge,
            labels: &[],
        }
    }

    /// The metric with these labels.
    const fn by(self, labels: &'static [&'static str]) -> Self {
        Self { labels, ..self }
    }
}

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// The value only grows.
    Counter,
    /// The value rises and falls.
    Gauge,
    /// Counts of values up to each bound.
    Histogram,
}

impl MetricKind {
    /// The type as a `# TYPE` line contains it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The unit of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Pages, counted as the kernel counts pins.
    Pages,
    /// Bytes.
    Bytes,
    /// Pages a second.
    PagesPerSecond,
    /// Time.
    Time,
    /// Percentage of a whole.
    Share,
    /// Number of objects.
    Count,
    /// Address in user space.
    Address,
    /// Text.
    Name,
}

impl Unit {
    /// The unit as the documentation's tables contain it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Bytes => "bytes",
            Self::PagesPerSecond => "pages/s",
            Self::Time => "time",
            Self::Share => "%",
            Self::Count => "count",
            Self::Address => "address",
            Self::Name => "name",
        }
    }
}

/// Alignment of a value in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// Returns the subsystem that holds most pages; if nothing is held, a subsystem that pinned before.
#[must_use]
pub fn main_subsystem(pages_held: &BTreeMap<Subsystem, u64>) -> Option<Subsystem> {
    let by_pages = |(subsystem, pages): &(&Subsystem, &u64)| (**pages, std::cmp::Reverse(**subsystem));
    pages_held.iter().max_by_key(by_pages).map(|(main, _)| *main)
}

/// Returns the main subsystem; `+` stands for others.
fn marked_subsystem(pages_held: &BTreeMap<Subsystem, u64>) -> Value<'static> {
    let Some(main) = main_subsystem(pages_held) else {
        return Value::Absent;
    };
    let others = pages_held.len() > 1;
    Value::Text(if others {
        format!("{main}+").into()
    } else {
        main.as_str().into()
    })
}

/// Returns a name; absent if it is empty.
fn name(name: &str) -> Value<'_> {
    match name {
        "" => Value::Absent,
        name => Value::Text(name.into()),
    }
}
