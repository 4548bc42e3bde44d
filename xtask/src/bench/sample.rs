//! The lines that a benchmark script prints in a guest: `kernel`, the release; and `sample`, a variant and a JSON object,
//! separated by tabs.

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::vm::series::{Flavour, KernelBuild};

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The kind of run.
    pub(crate) variant: String,
    /// The workload.
    pub(crate) workload: String,
    /// What was measured.
    pub(crate) measure: Measure,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Measure {
    /// Operations per second.
    Rate(f64),
    /// A duration in seconds.
    Seconds(f64),
    /// Repeated operations.
    Repeated(Repeated),
    /// A value in the unit of the variant.
    Amount(f64),
}

/// The operations that `pinload bench` repeated.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(crate) struct Repeated {
    /// Number of operations.
    operations: f64,
    /// The time of all operations.
    elapsed_ns: f64,
    /// The longest operation, if a command ran meanwhile.
    pub(crate) longest_ns: Option<f64>,
}

impl Repeated {
    /// Returns the time of one operation in ns.
    pub(crate) fn each_ns(self) -> f64 {
        self.elapsed_ns / self.operations
    }

    /// Returns the seconds that the operations took longer than with `each_ns` for one operation.
    pub(crate) fn seconds_lost(self, each_ns: f64) -> f64 {
        (self.elapsed_ns - self.operations * each_ns) / 1e9
    }
}

/// The JSON object of a sample.
#[derive(Deserialize)]
struct SampleJson {
    workload: String,
    per_second: Option<f64>,
    seconds: Option<f64>,
    amount: Option<f64>,
    #[serde(flatten)]
    repeated: Option<Repeated>,
}

/// The output of a guest.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct GuestSamples {
    /// The release of the kernel, as in `uname -r`.
    pub(crate) release: String,
    /// The measurements, in order.
    pub(crate) samples: Vec<Sample>,
}

impl GuestSamples {
    /// Parses the output of a guest. Other lines are ignored.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut output = Self::default();
        for line in text.lines() {
            let mut fields = line.trim_end().splitn(3, '\t');
            match (fields.next(), fields.next(), fields.next()) {
                (Some("kernel"), Some(release), None) => release.clone_into(&mut output.release),
                (Some("sample"), Some(variant), Some(json)) => output
                    .samples
                    .push(sample(variant, json).with_context(|| format!("no measurement: {line}"))?),
                _ => {}
            }
        }
        if output.release.is_empty() || output.samples.is_empty() {
            bail!("the guest printed no measurements: {text}");
        }
        Ok(output)
    }

    /// Returns the name of the kernel in figures, such as `6.12` or `7.3-rt`.
    pub(crate) fn place(&self) -> String {
        match KernelBuild::parse(&self.release) {
            Some(build) if build.flavour == Flavour::Cloud => build.series.to_string(),
            Some(build) => format!("{}-{}", build.series, build.flavour),
            None => self.release.clone(),
        }
    }

    /// Returns the measurements of a workload in a kind of run.
    pub(crate) fn of<'a>(
        &'a self,
        variant: &'a str,
        workload: &'a str,
    ) -> impl Iterator<Item = Measure> + 'a {
        let is_meant = move |sample: &&Sample| sample.variant == variant && sample.workload == workload;
        self.samples.iter().filter(is_meant).map(|sample| sample.measure)
    }

    /// Returns each workload once, in order.
    pub(crate) fn workloads(&self) -> Vec<&str> {
        let mut workloads: Vec<&str> = Vec::new();
        for sample in &self.samples {
            if !workloads.contains(&sample.workload.as_str()) {
                workloads.push(&sample.workload);
            }
        }
        workloads
    }
}

fn sample(variant: &str, json: &str) -> Result<Sample> {
    let SampleJson {
        workload,
        per_second,
        seconds,
        amount,
        repeated,
    } = serde_json::from_str(json)?;
    let measure = per_second
        .map(Measure::Rate)
        .or(seconds.map(Measure::Seconds))
        .or(amount.map(Measure::Amount))
        .or(repeated.map(Measure::Repeated))
        .context("no rate, time or amount")?;
    Ok(Sample {
        variant: variant.to_owned(),
        workload,
        measure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "kernel\t6.12.118+deb13-cloud-amd64\r\nnoise\n\
        sample\tbare\t{\"workload\":\"randread\",\"per_second\":45000}\n\
        sample\tbare\t{\"event\":\"measured\",\"workload\":\"fork\",\"operations\":4,\"elapsed_ns\":1000}\n\
        sample\tidle\t{\"workload\":\"record\",\"seconds\":1.5}\n\
        sample\tmaps\t{\"workload\":\"record\",\"amount\":12}\n";

    #[test]
    fn rates_and_times_are_read() {
        let output = GuestSamples::parse(OUTPUT).unwrap();
        assert_eq!(output.place(), "6.12");
        assert_eq!(output.workloads(), ["randread", "fork", "record"]);
        let one = |variant, workload| output.of(variant, workload).next();
        assert_eq!(one("bare", "randread"), Some(Measure::Rate(45000.0)));
        assert_eq!(one("idle", "record"), Some(Measure::Seconds(1.5)));
        assert_eq!(one("maps", "record"), Some(Measure::Amount(12.0)));
        assert_eq!(one("idle", "fork"), None);
        let Some(Measure::Repeated(fork)) = one("bare", "fork") else {
            panic!("{output:?}");
        };
        assert_eq!((fork.each_ns(), fork.longest_ns), (250.0, None));
        assert!((fork.seconds_lost(50.0) - 800e-9).abs() < 1e-12);
    }

    #[test]
    fn other_flavours_are_places_of_their_own() {
        let place = |release: &str| {
            let output = GuestSamples {
                release: release.to_owned(),
                ..GuestSamples::default()
            };
            output.place()
        };
        assert_eq!(place("7.3.1+deb14-rt-amd64"), "7.3-rt");
        assert_eq!(place("own"), "own");
    }

    #[test]
    fn output_without_measurements_is_an_error() {
        assert!(GuestSamples::parse("kernel\t6.12\n").is_err());
        assert!(GuestSamples::parse("kernel\t6.12\nsample\tbare\tno JSON\n").is_err());
        let nothing = "kernel\t6.12\nsample\tbare\t{\"workload\":\"fork\"}\n";
        assert!(GuestSamples::parse(nothing).is_err());
    }
}
