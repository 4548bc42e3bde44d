//! The output of `bench user` and `bench tui`: a line for each stage, `stage`, name, operations, ns, allocated bytes; and
//! a line for each measured memory, `memory`, name, bytes; separated by tabs.

use anyhow::{Result, bail};

use super::figure::{Better, Figure, NATIVE};

/// The stage that all times are compared with.
const REFERENCE: &str = "reference";
/// The variant of measured memory.
pub(super) const MEMORY: &str = "memory";
/// The speed of a busy machine changes within one run, also relative to the reference.
const TIME_MARGIN: f64 = 0.5;
/// Allocations are the same in each run, except for the growth of hash tables with random seeds.
const BYTES_MARGIN: f64 = 0.05;

/// Returns the time, the rate and the allocated bytes of each stage, the reference first, and then the measured memory.
pub(super) fn figures(output: &str) -> Result<Vec<Figure>> {
    let mut figures = of_stages(output)?;
    for line in output.lines() {
        let mut fields = line.split('\t');
        if fields.next() != Some("memory") {
            continue;
        }
        let (Some(name), Some(bytes)) = (fields.next(), fields.next().and_then(|bytes| bytes.parse().ok()))
        else {
            bail!("no memory: {line}");
        };
        figures.push(Figure {
            place: NATIVE.to_owned(),
            workload: name.to_owned(),
            variant: MEMORY.to_owned(),
            value: bytes,
            unit: "bytes".to_owned(),
            ratio: None,
            better: Better::Lower,
            margin: Some(BYTES_MARGIN),
        });
    }
    Ok(figures)
}

fn of_stages(output: &str) -> Result<Vec<Figure>> {
    let mut stages = Vec::new();
    for line in output.lines() {
        let mut fields = line.split('\t');
        if fields.next() != Some("stage") {
            continue;
        }
        let name = fields.next().unwrap_or_default();
        let numbers: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
        let [operations, nanos, bytes] = numbers[..] else {
            bail!("no stage: {line}");
        };
        stages.push((name, nanos / operations, bytes / operations));
    }
    if stages.first().is_none_or(|(name, ..)| *name != REFERENCE) {
        bail!("the benchmark printed no reference: {output}");
    }
    let mut figures = Vec::new();
    for (name, nanos, bytes) in stages {
        let is_compared = name != REFERENCE;
        let figure = |variant: &str, value: f64, unit: &str, better| Figure {
            place: NATIVE.to_owned(),
            workload: name.to_owned(),
            variant: variant.to_owned(),
            value,
            unit: unit.to_owned(),
            ratio: None,
            better,
            margin: None,
        };
        figures.push(Figure {
            margin: is_compared.then_some(TIME_MARGIN),
            ..figure("time", nanos, "ns", Better::Lower)
        });
        figures.push(figure("rate", 1e9 / nanos, "per s", Better::Higher));
        figures.push(Figure {
            margin: is_compared.then_some(BYTES_MARGIN),
            ..figure("allocated", bytes, "bytes", Better::Lower)
        });
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_three_figures() {
        let output =
            "noise\nstage\treference\t10\t2000\t0\nmemory\tmodel\t77\nstage\tdecode\t100\t5000\t400\n";
        let figures = figures(output).unwrap();
        assert_eq!(figures.len(), 7);
        let memory = &figures[6];
        assert_eq!(
            (memory.name().as_str(), memory.value),
            ("native, model, memory", 77.0)
        );
        assert_eq!((figures[0].value, figures[0].margin), (200.0, None));
        assert_eq!((figures[3].value, figures[3].margin), (50.0, Some(TIME_MARGIN)));
        assert_eq!((figures[4].value, figures[4].margin), (2e7, None));
        assert_eq!((figures[5].value, figures[5].compared()), (4.0, 4.0));
    }

    #[test]
    fn incomplete_output_is_an_error() {
        assert!(figures("stage\tdecode\t100\t5000\t400\n").is_err());
        assert!(figures("stage\treference\t10\n").is_err());
        assert!(figures("stage\treference\t10\t2000\t0\nmemory\tmodel\n").is_err());
    }
}
