//! A metric family and its samples.

use super::Metric;

/// One metric with all its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Name and type.
    pub metric: Metric,
    /// Help in one sentence.
    pub help: &'static str,
    /// Samples by label values; empty when the value is unknown.
    pub samples: Vec<Sample>,
    /// Histograms by label values; empty unless the metric is a histogram.
    pub histograms: Vec<Histogram>,
}

impl Family {
    /// Returns a family without histograms.
    pub(super) const fn of(metric: Metric, help: &'static str, samples: Vec<Sample>) -> Self {
        Self {
            metric,
            help,
            samples,
            histograms: Vec::new(),
        }
    }

    /// Returns true if the family has no values.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.histograms.is_empty()
    }
}

/// One histogram.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// Each finite bound, with the number of values up to the bound.
    pub buckets: Vec<(f64, u64)>,
    /// Number of all values.
    pub count: u64,
    /// Sum of all values.
    pub sum: f64,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// A sample without labels.
pub(super) fn unlabelled(value: f64) -> Sample {
    Sample {
        labels: Vec::new(),
        value,
    }
}

/// A count as a sample value.
#[expect(clippy::cast_precision_loss, reason = "Prometheus samples are f64")]
pub(super) fn as_float(count: u64) -> f64 {
    count as f64
}
