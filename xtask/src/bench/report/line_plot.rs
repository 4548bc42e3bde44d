//! A plot of curves with logarithmic axes, as SVG.

use std::fmt::Write;

use super::super::figure::shown;
use super::plot::{COLOURS, escaped};

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 300.0;
/// Room for the title and for the labels of the axes.
const LEFT: f64 = 90.0;
const TOP: f64 = 36.0;
const BOTTOM: f64 = 40.0;
/// Room for the names of the curves.
const RIGHT: f64 = 330.0;

/// A plot.
pub(super) struct LinePlot {
    /// The title, with the units of both axes.
    pub(super) title: String,
    /// Name and points of each curve. All numbers are above 0.
    pub(super) curves: Vec<(String, Vec<(f64, f64)>)>,
}

/// The powers of ten that an axis covers, and its place in the picture.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let high = values.fold(0.0, f64::max).log10().ceil();
        // A single power of ten would have no length.
        let high = high.max(low + 1.0);
        Self { low, high, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value.log10() - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        let (low, high) = (self.low, self.high);
        (0..)
            .map(f64::from)
            .map(move |step| low + step)
            .take_while(move |power| *power <= high)
            .map(|power| 10_f64.powf(power))
    }
}

impl LinePlot {
    /// Returns the text of the SVG file.
    pub(super) fn svg(&self) -> String {
        let points = self.curves.iter().flat_map(|(_, points)| points);
        let x = Axis::new(points.clone().map(|(x, _)| *x), LEFT, WIDTH - RIGHT);
        let y = Axis::new(points.map(|(_, y)| *y), HEIGHT - BOTTOM, TOP);
        let mut body = String::new();
        let _ = writeln!(
            body,
            r#"<text x="8" y="20" font-weight="bold">{}</text>"#,
            escaped(&self.title)
        );
        for power in x.powers() {
            let at = x.place(power);
            let _ = writeln!(
                body,
                r##"<line x1="{at:.1}" y1="{TOP}" x2="{at:.1}" y2="{:.1}" stroke="#ddd"/><text x="{at:.1}" y="{:.1}" text-anchor="middle">{}</text>"##,
                HEIGHT - BOTTOM,
                HEIGHT - BOTTOM + 16.0,
                shown(power)
            );
        }
        for power in y.powers() {
            let at = y.place(power);
            let _ = writeln!(
                body,
                r##"<line x1="{LEFT}" y1="{at:.1}" x2="{:.1}" y2="{at:.1}" stroke="#ddd"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"##,
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0,
                shown(power)
            );
        }
        for (number, (name, points)) in self.curves.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let places: Vec<String> = points
                .iter()
                .map(|(one, other)| format!("{:.1},{:.1}", x.place(*one), y.place(*other)))
                .collect();
            let row = TOP + 12.0 + 16.0 * f64::from(u16::try_from(number).unwrap_or(u16::MAX));
            let _ = writeln!(
                body,
                r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/><rect x="{:.1}" y="{:.1}" width="12" height="4" fill="{colour}"/><text x="{:.1}" y="{:.1}">{}</text>"#,
                places.join(" "),
                WIDTH - RIGHT + 14.0,
                row - 6.0,
                WIDTH - RIGHT + 32.0,
                row,
                escaped(name)
            );
        }
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
{body}</svg>
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_logarithmic() {
        let plot = LinePlot {
            title: "x & y".to_owned(),
            curves: vec![("a".to_owned(), vec![(1.0, 10.0), (10.0, 100.0), (100.0, 1000.0)])],
        };
        let svg = plot.svg();
        assert!(
            svg.contains(r#"points="90.0,260.0 290.0,148.0 490.0,36.0""#),
            "{svg}"
        );
        assert!(
            svg.contains("x &amp; y") && svg.contains(">1,000</text>"),
            "{svg}"
        );
    }

    #[test]
    fn one_point_has_an_axis_too() {
        let plot = LinePlot {
            title: String::new(),
            curves: vec![("a".to_owned(), vec![(1.0, 1.0)])],
        };
        assert!(!plot.svg().contains("NaN"));
    }
}
