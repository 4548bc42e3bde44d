//! Curves: the figures of workloads that differ only in a number of extents or processes.

use super::super::figure::Figure;

/// The things whose number grows.
const THINGS: [&str; 2] = ["extents", "processes"];

/// One curve.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Curve {
    /// The workload, with `N` for the number.
    pub(super) label: String,
    /// The things whose number grows: one of [`THINGS`].
    pub(super) of: &'static str,
    /// The variant of the figures, such as `time`.
    pub(super) variant: String,
    /// The unit of the values.
    pub(super) unit: String,
    /// Numbers and values, in order.
    pub(super) points: Vec<(f64, f64)>,
}

impl Curve {
    /// Returns the exponent of the growth: the slope of the line that fits the logarithms best. With slope 0, the value does
    /// not depend on the number; with slope 1, the value is proportional to the number.
    pub(super) fn slope(&self) -> f64 {
        let logs: Vec<(f64, f64)> = self.points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
        let count = f64::from(u32::try_from(logs.len()).unwrap_or(u32::MAX));
        let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
        let (x_mean, y_mean) = (mean(|it| it.0), mean(|it| it.1));
        let both: f64 = logs.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
        let square: f64 = logs.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
        both / square
    }
}

/// Returns all curves of a variant with two points or more.
pub(super) fn of(figures: &[Figure], variant: &str) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for figure in figures.iter().filter(|figure| figure.variant == variant) {
        let Some((label, number, of)) = parts(&figure.workload) else {
            continue;
        };
        let point = (number, figure.value);
        match curves.iter_mut().find(|curve| curve.label == label) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve {
                label,
                of,
                variant: variant.to_owned(),
                unit: figure.unit.clone(),
                points: vec![point],
            }),
        }
    }
    curves.retain(|curve| curve.points.len() >= 2);
    curves
}

/// Splits the name of a workload into the name of its curve, the number, and the things that the number counts.
fn parts(workload: &str) -> Option<(String, f64, &'static str)> {
    let words: Vec<&str> = workload.split(' ').collect();
    words.windows(2).enumerate().find_map(|(at, pair)| {
        let number: f64 = pair.first()?.parse().ok()?;
        let of = THINGS.into_iter().find(|thing| pair.last() == Some(thing))?;
        let mut words = words.clone();
        *words.get_mut(at)? = "N";
        Some((words.join(" "), number, of))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::figure::Better;
    use super::super::super::figure::tests::figure;
    use super::*;

    #[test]
    fn workloads_that_differ_in_the_number_are_one_curve() {
        let named = |name: &str, value| Figure {
            value,
            ..figure(name, "time", 1.0, Better::Lower)
        };
        let figures = [
            named("snapshot, 100 of 1000 extents changed", 50.0),
            named("snapshot, 100 of 100000 extents changed", 500.0),
            named("tick, 1000 processes", 7.0),
            named("decode", 7.0),
        ];
        let curves = of(&figures, "time");
        assert_eq!(curves.len(), 1, "{curves:?}");
        assert_eq!(curves[0].label, "snapshot, 100 of N extents changed");
        assert_eq!((curves[0].of, curves[0].points[0]), ("extents", (1000.0, 50.0)));
        assert!((curves[0].slope() - 0.5).abs() < 1e-9, "{}", curves[0].slope());
        assert!(of(&figures, "memory").is_empty());
    }
}
