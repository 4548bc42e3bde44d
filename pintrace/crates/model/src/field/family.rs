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
