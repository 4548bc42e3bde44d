//! The output of `bench core`: tables with 22 columns for the name of a row and 12 for each time, under a header that ends
//! in `ns for pin + unpin`.

use anyhow::{Context, Result, bail};

use super::figure::{Better, Figure, NATIVE};

const NAME_WIDTH: usize = 22;
const CELL_WIDTH: usize = 12;
const HEADER_END: &str = "ns for pin + unpin";
/// The words before the time of the reference: one update, lookup and deletion of a BPF hash map.
const REFERENCE: &str = "hash update+lookup+delete ";
/// The speed of a busy machine changes within one run, also relative to the reference.
const MARGIN: f64 = 0.5;

/// Returns the time of each row and column, the reference first.
pub(super) fn figures(output: &str) -> Result<Vec<Figure>> {
    let reference = output
        .lines()
        .find_map(|line| {
            line.split_once(REFERENCE)?
                .1
                .split(' ')
                .next()?
                .parse::<f64>()
                .ok()
        })
        .context("the benchmark printed no time of a hash map")?;
    let mut figures = vec![Figure {
        margin: None,
        ..figure("BPF hash map", "chunks", reference)
    }];
    let mut table: Option<(&str, Vec<&str>)> = None;
    for line in output.lines() {
        if let Some(header) = line.strip_suffix(HEADER_END) {
            let (title, columns) = header.split_at_checked(NAME_WIDTH).unwrap_or((header, ""));
            let columns = columns
                .split("  ")
                .map(str::trim)
                .filter(|column| !column.is_empty());
            table = Some((title.trim(), columns.collect()));
        } else if let Some((title, columns)) = &table {
            let Some((name, cells)) = line.split_at_checked(NAME_WIDTH) else {
                bail!("no row of the table: {line}");
            };
            let workload = if title.is_empty() {
                name.trim().to_owned()
            } else {
                format!("{} {title}", name.trim())
            };
            for (column, cell) in columns.iter().zip(cells.as_bytes().chunks(CELL_WIDTH)) {
                let time = String::from_utf8_lossy(cell).trim().parse::<f64>();
                let time = time.with_context(|| format!("no time in the row: {line}"))?;
                figures.push(figure(&workload, column, time));
            }
        }
    }
    if figures.len() == 1 {
        bail!("the benchmark printed no table: {output}");
    }
    Ok(figures)
}

fn figure(workload: &str, variant: &str, time: f64) -> Figure {
    Figure {
        place: NATIVE.to_owned(),
        workload: workload.to_owned(),
        variant: variant.to_owned(),
        value: time,
        unit: "ns".to_owned(),
        ratio: None,
        better: Better::Lower,
        margin: Some(MARGIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cell_is_a_figure() {
        let output = format!(
            "kernel 6.18; median of 7 runs\nempty loop iteration 2 ns; hash update+lookup+delete 200 ns\n\
             {:<22}{:>12}{:>12}   ns for pin + unpin\n{:<22}{:>12}{:>12}\n\
             {:<22}{:>12}   ns for pin + unpin\n{:<22}{:>12}\n",
            "", "chunks", "by folio", "262,144 pages", 150, 300, "other owners", "chunks", 1000, 800
        );
        let figures = figures(&output).unwrap();
        let shown = |figure: &Figure| (figure.workload.clone(), figure.variant.clone(), figure.value);
        let shown: Vec<_> = figures.iter().map(shown).collect();
        let row = |workload: &str, variant: &str, time| (workload.to_owned(), variant.to_owned(), time);
        assert_eq!(
            shown,
            [
                row("BPF hash map", "chunks", 200.0),
                row("262,144 pages", "chunks", 150.0),
                row("262,144 pages", "by folio", 300.0),
                row("1000 other owners", "chunks", 800.0),
            ]
        );
    }

    #[test]
    fn other_output_is_an_error() {
        assert!(figures("nothing").is_err());
        assert!(figures("hash update+lookup+delete 200 ns\n").is_err());
    }
}
