//! The output of `bench scan`: a row with the time of each scan, and the time of a plain loop.

use anyhow::{Context, Result};

use super::figure::{Better, Figure, NATIVE};

/// The rows of the table, and their names in figures.
const ROWS: [(&str, &str); 2] = [
    ("full ", "scan, full memory"),
    ("nine tenths free ", "scan, nine tenths of the memory free"),
];
/// The speed of a busy machine changes within one run, also relative to the reference.
const MARGIN: f64 = 0.5;

/// Returns the time of the plain loop, which is the reference, and of each scan.
pub(super) fn figures(output: &str) -> Result<Vec<Figure>> {
    // "floor: 384 MiB read by a plain loop in 30.5 ms"
    let floor = number(output, "floor: ", 1)?;
    let figure = |workload: &str, time: f64| Figure {
        place: NATIVE.to_owned(),
        workload: workload.to_owned(),
        variant: "time".to_owned(),
        value: time,
        unit: "ms".to_owned(),
        ratio: None,
        better: Better::Lower,
        margin: None,
    };
    let mut figures = vec![figure("plain loop over the struct pages", floor)];
    for (row, workload) in ROWS {
        let time = number(output, row, 1)?;
        figures.push(Figure {
            margin: Some(MARGIN),
            ..figure(workload, time)
        });
    }
    Ok(figures)
}

/// Returns a number of the first line with this start and with such a number. `from_end` counts words from the end.
fn number(output: &str, start: &str, from_end: usize) -> Result<f64> {
    let number = |line: &str| line.split_whitespace().nth_back(from_end)?.parse().ok();
    let mut lines = output.lines().filter(|line| line.starts_with(start));
    lines
        .find_map(number)
        .with_context(|| format!("the benchmark printed no time in a line {start:?}: {output}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "machine                   free    pages read        ms   ns a page\n\
        full                       10%       6291456      61.0        9.70\n\
        nine tenths free           90%        629145       7.5        1.20\n\
        floor: 384 MiB read by a plain loop in 30.5 ms\n\
        full against the floor: 2.00 times\n";

    #[test]
    fn the_times_of_loop_and_scans_are_read() {
        let figures = figures(OUTPUT).unwrap();
        let shown: Vec<_> = figures
            .iter()
            .map(|figure| (figure.value, figure.margin))
            .collect();
        assert_eq!(shown, [(30.5, None), (61.0, Some(MARGIN)), (7.5, Some(MARGIN))]);
    }

    #[test]
    fn a_missing_row_is_an_error() {
        let error = figures("floor: 1 MiB read by a plain loop in 3 ms\n").unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
    }
}
