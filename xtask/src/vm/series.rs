//! The names of kernels: series, flavours, and Debian's names of their builds.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;

use super::architecture::Architecture;

/// The series in Debian's archive.
pub(crate) const KNOWN_SERIES: [KernelSeries; 11] = [
    KernelSeries(5, 10),
    KernelSeries(6, 1),
    KernelSeries(6, 12),
    KernelSeries(6, 16),
    KernelSeries(6, 17),
    KernelSeries(6, 18),
    KernelSeries(6, 19),
    KernelSeries(7, 0),
    KernelSeries(7, 1),
    KernelSeries(7, 2),
    KernelSeries(7, 3),
];

/// A kernel series such as 6.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KernelSeries(pub(crate) u32, pub(crate) u32);

impl fmt::Display for KernelSeries {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}.{}", self.0, self.1))
    }
}

/// The kernel that the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeriesChoice {
    /// The newest kernel.
    Newest,
    /// The newest build of a series.
    Series(KernelSeries),
}

impl SeriesChoice {
    /// Returns true if the user asks for this build.
    pub(crate) fn matches(self, build: &KernelBuild) -> bool {
        match self {
            Self::Newest => true,
            Self::Series(series) => build.series == series,
        }
    }
}

impl fmt::Display for SeriesChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => formatter.pad("newest"),
            Self::Series(series) => series.fmt(formatter),
        }
    }
}

impl FromStr for SeriesChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = KNOWN_SERIES.into_iter().find(|series| series.to_string() == text);
        match known {
            Some(series) => Ok(Self::Series(series)),
            None if text == "newest" => Ok(Self::Newest),
            None => {
                let names = KNOWN_SERIES.map(|series| series.to_string()).join(" ");
                Err(format!("unknown kernel series; use one of: {names} newest"))
            }
        }
    }
}

/// Debian's configuration of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Flavour {
    /// For virtual machines: small, with the same traceable functions
    #[default]
    Cloud,
    /// For any machine: all drivers, as modules
    Full,
    /// With PREEMPT_RT
    Rt,
}

impl Flavour {
    const fn infix(self) -> &'static str {
        match self {
            Self::Cloud => "-cloud",
            Self::Full => "",
            Self::Rt => "-rt",
        }
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Cloud => "cloud",
            Self::Full => "full",
            Self::Rt => "rt",
        })
    }
}

/// One build of a kernel, with Debian's name as in `uname -r` (`6.12.117+deb13-cloud-amd64`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelBuild {
    /// The whole name: Debian's ABI with flavour and architecture.
    pub(crate) release: String,
    /// The series of the build.
    pub(crate) series: KernelSeries,
    /// Debian's configuration.
    pub(crate) flavour: Flavour,
    /// The processor.
    pub(crate) architecture: Architecture,
    order: Vec<u32>,
}

impl KernelBuild {
    /// Parses a release string. Returns `None` for the name of a meta package (`6.12-cloud-amd64`) and for any other
    /// text.
    pub(crate) fn parse(release: &str) -> Option<Self> {
        let (name, architecture) = [Architecture::X86, Architecture::Arm]
            .into_iter()
            .find_map(|one| Some((release.strip_suffix(&format!("-{}", one.debian()))?, one)))?;
        let (version, flavour) = [Flavour::Cloud, Flavour::Rt, Flavour::Full]
            .into_iter()
            .find_map(|flavour| Some((name.strip_suffix(flavour.infix())?, flavour)))?;
        let digits = version
            .split(|c: char| !c.is_ascii_digit())
            .filter(|part| !part.is_empty());
        let order: Vec<u32> = digits.map(str::parse).collect::<Result<_, _>>().ok()?;
        let [major, minor, _, ..] = order[..] else {
            return None;
        };
        Some(Self {
            release: release.to_owned(),
            series: KernelSeries(major, minor),
            flavour,
            architecture,
            order,
        })
    }

    /// Returns the newest matching build.
    pub(crate) fn newest(
        builds: impl IntoIterator<Item = Self>,
        wanted: SeriesChoice,
        flavour: Flavour,
        architecture: Architecture,
    ) -> Option<Self> {
        let fitting = builds.into_iter().filter(|build| {
            wanted.matches(build) && build.flavour == flavour && build.architecture == architecture
        });
        fitting.max_by(|a, b| a.order.cmp(&b.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(names: &[&str], wanted: &str, flavour: Flavour) -> Option<String> {
        let builds = names.iter().filter_map(|name| KernelBuild::parse(name));
        let architecture = Architecture::default();
        KernelBuild::newest(builds, wanted.parse().unwrap(), flavour, architecture).map(|build| build.release)
    }

    #[test]
    fn builds_for_another_processor_are_apart() {
        let build = KernelBuild::parse("6.12.118+deb13-cloud-arm64").unwrap();
        assert_eq!(
            (build.architecture, build.flavour),
            (Architecture::Arm, Flavour::Cloud)
        );
        let (wanted, flavour) = ("6.12".parse().unwrap(), Flavour::Cloud);
        let newest = |architecture| KernelBuild::newest([build.clone()], wanted, flavour, architecture);
        assert_eq!(newest(Architecture::X86), None);
        assert_eq!(newest(Architecture::Arm), Some(build.clone()));
    }

    #[test]
    fn builds_are_ordered_by_number() {
        let names = [
            "6.12.96+deb13-cloud-amd64",
            "6.12.117+deb12-cloud-amd64",
            "6.12.117+deb13-cloud-amd64",
        ];
        assert_eq!(
            newest(&names, "6.12", Flavour::Cloud).unwrap(),
            "6.12.117+deb13-cloud-amd64"
        );
        let names = ["6.1.0-56-amd64", "6.1.0-0.deb11.52-amd64", "6.1.0-9-amd64"];
        assert_eq!(newest(&names, "6.1", Flavour::Full).unwrap(), "6.1.0-56-amd64");
        assert_eq!(newest(&names, "newest", Flavour::Full).unwrap(), "6.1.0-56-amd64");
    }

    #[test]
    fn a_series_is_no_prefix_of_another() {
        assert_eq!(
            newest(
                &["6.12.117+deb13-cloud-amd64", "6.18.15+deb13-cloud-amd64"],
                "6.1",
                Flavour::Cloud
            ),
            None
        );
    }

    #[test]
    fn each_flavour_has_its_own_newest_build() {
        let names = ["7.3.4+deb13-amd64", "7.3.4+deb13-rt-amd64"];
        assert_eq!(newest(&names, "7.3", Flavour::Rt).unwrap(), names[1]);
        assert_eq!(newest(&names, "7.3", Flavour::Full).unwrap(), names[0]);
        assert_eq!(newest(&names, "7.3", Flavour::Cloud), None);
    }

    #[test]
    fn meta_packages_and_debug_builds_are_no_builds() {
        for name in [
            "6.12-cloud-amd64",
            "6.12.117+deb13-amd64-dbg",
            "6.12.117+deb13-amd64-unsigned",
            "6.12-amd64",
        ] {
            assert_eq!(KernelBuild::parse(name), None, "{name}");
        }
    }

    #[test]
    fn an_unknown_series_is_an_error_that_lists_the_known_series() {
        let error = "6.6".parse::<SeriesChoice>().unwrap_err();
        assert!(
            error.contains("5.10 6.1 6.12") && error.contains("newest"),
            "{error}"
        );
    }
}
