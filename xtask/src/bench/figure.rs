//! The figures that a benchmark measures.

use serde::{Deserialize, Serialize};

/// The place of figures of this machine.
pub(crate) const NATIVE: &str = "native";

/// The direction in which a figure improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// Higher is better, such as a rate.
    Higher,
    /// Lower is better, such as a time.
    Lower,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// The place of the measurement: the series of a guest's kernel, or `native`.
    pub(crate) place: String,
    /// The workload: the row of the table.
    pub(crate) workload: String,
    /// The kind of run, or the quantity: the column of the table.
    pub(crate) variant: String,
    /// The value, in `unit`.
    pub(crate) value: f64,
    /// The unit of the value.
    pub(crate) unit: String,
    /// The value divided by the reference of the same run. Absent for the reference itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) ratio: Option<f64>,
    /// The direction of improvement of value and ratio.
    pub(crate) better: Better,
    /// The greatest relative change for the worse that `--check` accepts. Absent for a figure that `--check` ignores.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) margin: Option<f64>,
}

impl Figure {
    /// Returns the place, the workload and the variant, which name the figure.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}, {}", self.place, self.workload, self.variant)
    }

    /// Returns true if both are measurements of the same quantity.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        (&self.place, &self.workload, &self.variant) == (&other.place, &other.workload, &other.variant)
    }

    /// Returns the number that `--check` compares: the ratio, or the value of a figure without a ratio.
    pub(crate) fn compared(&self) -> f64 {
        self.ratio.unwrap_or(self.value)
    }
}

/// Returns a value with as many digits as the size of the value deserves.
pub(crate) fn shown(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if digits == 0 { with_commas(&text) } else { text }
}

fn with_commas(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index != 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    format!("{sign}{text}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Returns a figure whose ratio is compared with a margin of 2 per cent.
    pub(crate) fn figure(workload: &str, variant: &str, ratio: f64, better: Better) -> Figure {
        Figure {
            place: "6.12".to_owned(),
            workload: workload.to_owned(),
            variant: variant.to_owned(),
            value: ratio * 1000.0,
            unit: "ns".to_owned(),
            ratio: Some(ratio),
            better,
            margin: Some(0.02),
        }
    }

    #[test]
    fn values_are_shown_with_three_digits_or_more() {
        for (value, text) in [
            (45_309.4, "45,309"),
            (1_234_567.0, "1,234,567"),
            (-1000.0, "-1,000"),
            (999.6, "1,000"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (0.8412, "0.841"),
            (0.0, "0.000"),
        ] {
            assert_eq!(shown(value), text);
        }
    }

    #[test]
    fn a_figure_is_stored_as_read() {
        let stored = serde_json::to_string(&figure("fork", "record", 1.5, Better::Lower)).unwrap();
        assert_eq!(
            serde_json::from_str::<Figure>(&stored).unwrap(),
            figure("fork", "record", 1.5, Better::Lower)
        );
    }
}
