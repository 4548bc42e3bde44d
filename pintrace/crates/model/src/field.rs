//! The field catalogue: all columns and metrics, each defined once.
//!
//! Text columns, TUI columns, metrics, `--help` and the README's tables come from the catalogue. The catalogue takes
//! values from a snapshot and leaves the layout to the views.

mod family;
pub mod finding_column;
pub mod finding_metric;
pub mod grid;
pub mod header;
pub mod metric;
pub mod more;
pub mod names;
mod own_cost_metric;
pub mod pin_call;
mod pin_call_metric;
pub mod process;
pub mod subsystem;
mod value;
pub mod window;

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
}

impl Metric {
    /// A counter; the name ends in `_total`.
    const fn counter(name: &'static str) -> Self {
        Self {
            name,
            kind: MetricKind::Counter,
        }
    }

    /// A gauge.
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
