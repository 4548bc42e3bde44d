//! A kernel to test on: a series and how Debian configured it, written `6.12`, `6.12-full` or `7.3-rt`.

use std::fmt;
use std::str::FromStr;

use super::series::{Flavour, ON_OFFER, Series, Wanted};

/// A series in a flavour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The series.
    pub(crate) kernel: Wanted,
    /// How it was configured.
    pub(crate) flavour: Flavour,
}

impl Subject {
    const fn new(kernel: Wanted, flavour: Flavour) -> Self {
        Self { kernel, flavour }
    }

    /// Every series, and the flavours that differ: all drivers on those that matter most, and PREEMPT_RT.
    pub(crate) fn all() -> Vec<Self> {
        let unusual = [
            (Series(5, 10), Flavour::Full),
            (Series(6, 1), Flavour::Full),
            (Series(6, 12), Flavour::Full),
            (Series(7, 3), Flavour::Full),
            (Series(7, 3), Flavour::Rt),
        ];
        let usual = ON_OFFER.map(|series| (series, Flavour::Cloud));
        usual
            .into_iter()
            .chain(unusual)
            .map(|(series, flavour)| Self::new(Wanted::Series(series), flavour))
            .collect()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&match self.flavour {
            Flavour::Cloud => self.kernel.to_string(),
            flavour => format!("{}-{flavour}", self.kernel),
        })
    }
}

impl FromStr for Subject {
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
    fn a_subject_is_read_as_it_is_written() {
        for subject in Subject::all() {
            assert_eq!(subject.to_string().parse(), Ok(subject));
        }
        assert_eq!("newest-rt".parse(), Ok(Subject::new(Wanted::Newest, Flavour::Rt)));
        assert!("6.12-fast".parse::<Subject>().is_err());
    }
}
