//! Tables of figures: one for each place, with a row for each workload and a column for each variant.

use std::fmt::Write;

use super::figure::{Figure, shown};
use super::result::BenchResult;

/// The cells of the figures of one place. The first row is the header.
pub(crate) fn grid(result: &BenchResult, place: &str) -> Vec<Vec<String>> {
    let here = BenchResult {
        figures: result
            .figures
            .iter()
            .filter(|figure| figure.place == place)
            .cloned()
            .collect(),
        ..BenchResult::default()
    };
    let variants = here.distinct(|figure| &figure.variant);
    let workloads = here.distinct(|figure| &figure.workload);
    // A unit that all figures of each row share stands in the row, else in the header.
    let by_row = workloads
        .iter()
        .all(|workload| unit(&here, |figure| figure.workload == **workload).is_some());
    let unit_of = |is_meant: &dyn Fn(&Figure) -> bool| unit(&here, is_meant).unwrap_or_default();
    let titled = |title: &str, unit: &str| match unit {
        "" => title.to_owned(),
        unit => format!("{title}, {unit}"),
    };
    let mut header = vec![String::new()];
    header.extend(variants.iter().map(|variant| {
        if by_row {
            (*variant).to_owned()
        } else {
            titled(variant, unit_of(&|figure| figure.variant == **variant))
        }
    }));
    let mut rows = vec![header];
    for workload in &workloads {
        let title = if by_row {
            titled(workload, unit_of(&|figure| figure.workload == **workload))
        } else {
            (*workload).to_owned()
        };
        let cells = variants.iter().map(|variant| {
            let mut figures = here.figures.iter();
            let figure = figures.find(|figure| figure.workload == *workload && figure.variant == *variant);
            figure.map_or_else(|| "-".to_owned(), cell)
        });
        rows.push(std::iter::once(title).chain(cells).collect());
    }
    rows
}

/// Returns the tables of all places as text.
pub(crate) fn text(result: &BenchResult) -> String {
    let mut text = String::new();
    for place in result.distinct(|figure| &figure.place) {
        let rows = grid(result, place);
        let columns = rows.first().map_or(0, Vec::len);
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let _ = writeln!(text, "{place}");
        for row in &rows {
            let _ = write!(text, "{:<1$}", row[0], widths[0]);
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                let _ = write!(text, "  {cell:>width$}");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text.push('\n');
    }
    text
}

/// Returns the table of one place as Markdown.
pub(crate) fn markdown(result: &BenchResult, place: &str) -> String {
    let mut text = String::new();
    for (number, row) in grid(result, place).iter().enumerate() {
        let _ = writeln!(text, "| {} |", row.join(" | "));
        if number == 0 {
            let _ = writeln!(text, "|---|{}", "--:|".repeat(row.len().saturating_sub(1)));
        }
    }
    text
}

fn cell(figure: &Figure) -> String {
    let value = shown(figure.value);
    match figure.ratio {
        None => value,
        // Three decimals compare ratios near 1.
        Some(ratio) if ratio < 10.0 => format!("{value} ({ratio:.3})"),
        Some(ratio) => format!("{value} ({})", shown(ratio)),
    }
}

/// Returns the unit that all of these figures share.
fn unit(result: &BenchResult, is_meant: impl Fn(&Figure) -> bool) -> Option<&str> {
    let mut units = result.figures.iter().filter(|figure| is_meant(figure));
    let first = units.next()?.unit.as_str();
    units.all(|figure| figure.unit == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::super::figure::Better;
    use super::super::figure::tests::figure;
    use super::*;

    fn result() -> BenchResult {
        let bare = Figure {
            ratio: None,
            ..figure("fork", "bare", 1.0, Better::Lower)
        };
        BenchResult {
            figures: vec![
                bare,
                figure("fork", "record", 1.25, Better::Lower),
                figure("fault", "record", 2.0, Better::Lower),
            ],
            ..BenchResult::default()
        }
    }

    #[test]
    fn a_table_has_a_row_for_each_workload() {
        assert_eq!(
            text(&result()),
            "6.12\n            bare         record\n\
             fork, ns   1,000  1,250 (1.250)\n\
             fault, ns      -  2,000 (2.000)\n\n"
        );
    }

    #[test]
    fn large_ratios_have_fewer_digits() {
        let large = figure("fork", "record", 12_345.678, Better::Lower);
        assert_eq!(cell(&large), "12,345,678 (12,346)");
    }

    #[test]
    fn units_that_differ_in_a_row_stand_in_the_header() {
        let mut result = result();
        result.figures[0].unit = "bytes".to_owned();
        assert_eq!(
            markdown(&result, "6.12"),
            "|  | bare, bytes | record, ns |\n|---|--:|--:|\n| fork | 1,000 | 1,250 (1.250) |\n\
             | fault | - | 2,000 (2.000) |\n"
        );
    }
}
