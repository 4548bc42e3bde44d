//! A plot of horizontal bars in groups, as SVG.

use std::fmt::Write;

use super::super::figure::shown;

/// Colours of the series, which differ for colour-blind readers too (Okabe and Ito).
pub(super) const COLOURS: [&str; 4] = ["#0072b2", "#56b4e9", "#009e73", "#e69f00"];
const LABEL_WIDTH: usize = 320;
const BARS_WIDTH: u32 = 420;
const WIDTH: usize = 820;
const BAR_HEIGHT: usize = 12;
/// Height of the title and of the legend.
const TOP: usize = 56;
const GAP: usize = 8;

/// A plot.
pub(super) struct BarPlot {
    /// The title, with the unit of the values.
    pub(super) title: String,
    /// The groups, from top to bottom.
    pub(super) groups: Vec<BarGroup>,
    /// A longer bar is cut here. Its number is the whole value.
    pub(super) limit: f64,
}

/// The bars of one workload.
pub(super) struct BarGroup {
    /// The name of the workload.
    pub(super) label: String,
    /// The bars, from top to bottom.
    pub(super) bars: Vec<Bar>,
}

/// One bar.
pub(super) struct Bar {
    /// The name in the legend.
    pub(super) series: String,
    /// The value.
    pub(super) value: f64,
}

impl BarPlot {
    /// Returns the text of the SVG file.
    pub(super) fn svg(&self) -> String {
        let mut series: Vec<&str> = Vec::new();
        for bar in self.groups.iter().flat_map(|group| &group.bars) {
            if !series.contains(&bar.series.as_str()) {
                series.push(&bar.series);
            }
        }
        let colour = |name: &str| {
            let number = series.iter().position(|other| *other == name).unwrap_or(0);
            COLOURS[number % COLOURS.len()]
        };
        let values = self
            .groups
            .iter()
            .flat_map(|group| &group.bars)
            .map(|bar| bar.value);
        let longest = values.fold(0.0, f64::max).min(self.limit);
        let length = |value: f64| value.min(longest) / longest.max(f64::MIN_POSITIVE) * f64::from(BARS_WIDTH);

        let mut body = String::new();
        let _ = writeln!(
            body,
            r#"<text x="8" y="20" font-weight="bold">{}</text>"#,
            escaped(&self.title)
        );
        let mut x = 8;
        for name in &series {
            let _ = writeln!(
                body,
                r#"<rect x="{x}" y="32" width="12" height="12" fill="{}"/><text x="{}" y="42">{}</text>"#,
                colour(name),
                x + 16,
                escaped(name)
            );
            x += 40 + 7 * name.chars().count();
        }
        let mut y = TOP;
        for group in &self.groups {
            let middle = y + group.bars.len() * BAR_HEIGHT / 2 + 4;
            let _ = writeln!(
                body,
                r#"<text x="{}" y="{middle}" text-anchor="end">{}</text>"#,
                LABEL_WIDTH - 8,
                escaped(&group.label)
            );
            for bar in &group.bars {
                let length = length(bar.value);
                let _ = writeln!(
                    body,
                    r#"<rect x="{LABEL_WIDTH}" y="{y}" width="{length:.1}" height="{}" fill="{}"/><text x="{:.1}" y="{}">{}</text>"#,
                    BAR_HEIGHT - 1,
                    colour(&bar.series),
                    f64::from(u32::try_from(LABEL_WIDTH).unwrap_or(0)) + length + 4.0,
                    y + BAR_HEIGHT - 2,
                    shown(bar.value)
                );
                y += BAR_HEIGHT;
            }
            y += GAP;
        }
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
{body}</svg>
"#
        )
    }
}

/// Escapes text for SVG.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_bar_is_cut_and_keeps_its_number() {
        let bar = |value| Bar {
            series: "a < b".to_owned(),
            value,
        };
        let plot = BarPlot {
            title: "x & y".to_owned(),
            groups: vec![BarGroup {
                label: "fork".to_owned(),
                bars: vec![bar(1.0), bar(8.0)],
            }],
            limit: 2.0,
        };
        let svg = plot.svg();
        assert!(svg.contains(r#"width="210.0""#), "{svg}");
        assert!(svg.contains(r#"width="420.0""#), "{svg}");
        assert!(svg.contains(">8.00</text>"), "{svg}");
        assert!(svg.contains("a &lt; b") && svg.contains("x &amp; y"), "{svg}");
    }

    #[test]
    fn a_plot_without_bars_is_valid() {
        let plot = BarPlot {
            title: String::new(),
            groups: Vec::new(),
            limit: f64::INFINITY,
        };
        assert!(plot.svg().starts_with("<svg") && plot.svg().ends_with("</svg>\n"));
    }
}
