//! A kernel to test on: a series and a flavour, written `6.12`, `6.12-full` or `7.3-rt`.

use std::fmt;
use std::str::FromStr;

use super::series::{Flavour, KNOWN_SERIES, KernelSeries, SeriesChoice};

/// A series in a flavour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelTarget {
    /// The series.
    pub(crate) kernel: SeriesChoice,
    /// Debian's configuration.
    pub(crate) flavour: Flavour,
}

impl KernelTarget {
    const fn new(kernel: SeriesChoice, flavour: Flavour) -> Self {
        Self { kernel, flavour }
    }

    /// Returns every series in the cloud flavour, the full flavour of the main series, and PREEMPT_RT.
    pub(crate) fn all() -> Vec<Self> {
        let unusual = [
            (KernelSeries(5, 10), Flavour::Full),
            (KernelSeries(6, 1), Flavour::Full),
            (KernelSeries(6, 12), Flavour::Full),
            (KernelSeries(7, 3), Flavour::Full),
            (KernelSeries(7, 3), Flavour::Rt),
        ];
        let usual = KNOWN_SERIES.map(|series| (series, Flavour::Cloud));
        usual
            .into_iter()
            .chain(unusual)
            .map(|(series, flavour)| Self::new(SeriesChoice::Series(series), flavour))
            .collect()
    }
}

impl fmt::Display for KernelTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&match self.flavour {
            Flavour::Cloud => self.kernel.to_string(),
            flavour => format!("{}-{flavour}", self.kernel),
        })
    }
}

impl FromStr for KernelTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unusual = [Flavour::Full, Flavour::Rt].into_iter().find_map(|flavour| {
            let kernel = text.strip_suffix(&format!("-{flavour}"))?;
            Some((kernel, flavour))
        });
        let (kernel, flavour) = unusual.unwrap_or((text, Flavour::Cloud));
        Ok(Self::new(kernel.parse()?, flavour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_parsed_as_it_is_displayed() {
        for target in KernelTarget::all() {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
        assert_eq!(
            "newest-rt".parse(),
            Ok(KernelTarget::new(SeriesChoice::Newest, Flavour::Rt))
        );
        assert!("6.12-fast".parse::<KernelTarget>().is_err());
    }
}
