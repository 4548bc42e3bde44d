//! The targets of the project, beside the stored figures.

use std::fmt::Write;

use super::super::result::{BenchResult, Member};

/// A target: one or several figures, and the limit for their sum, quotient or ratio.
struct Target {
    what: &'static str,
    /// The benchmark, and the figures as place, workload and variant.
    member: Member,
    figures: &'static [(&'static str, &'static str, &'static str)],
    value: Value,
    limit: Limit,
    /// Why the target is not met, if it is not.
    floor: &'static str,
}

/// The value that is compared.
enum Value {
    /// The ratio of the figure to its reference.
    Ratio,
    /// The greatest ratio of several figures.
    MostRatio,
    /// The first figure divided by the second.
    Quotient,
    /// The sum in nanoseconds.
    Sum,
}

/// The limit of a value.
enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

const FIO: &str = "fio randread, iodepth 32";
const BYSTANDERS_612: &[(&str, &str, &str)] = &bystanders("6.12", "serve, no pins");
const BYSTANDERS_73: &[(&str, &str, &str)] = &bystanders("7.3", "serve, no pins");
const PINNED_612: &[(&str, &str, &str)] = &bystanders("6.12", "record");
const PINNED_73: &[(&str, &str, &str)] = &bystanders("7.3", "record");

const fn bystanders(
    place: &'static str,
    variant: &'static str,
) -> [(&'static str, &'static str, &'static str); 7] {
    [
        (place, "anonymous-fault", variant),
        (place, "cow-fault", variant),
        (place, "map-touch-unmap", variant),
        (place, "discard-touch", variant),
        (place, "protect-pair", variant),
        (place, "system-call", variant),
        (place, "fork", variant),
    ]
}

const TARGETS: &[Target] = &[
    Target {
        what: "direct I/O, 4 KiB, iodepth 32, `record`, 6.12, of the bare rate",
        member: Member::Overhead,
        figures: &[("6.12", FIO, "record")],
        value: Value::Ratio,
        limit: Limit::AtLeast(0.90),
        floor: "",
    },
    Target {
        what: "the same on 7.3",
        member: Member::Overhead,
        figures: &[("7.3", FIO, "record")],
        value: Value::Ratio,
        limit: Limit::AtLeast(0.87),
        floor: "each counting program is attached twice, because threads are preempted inside programs",
    },
    Target {
        what: "slowest bystander of `serve` while no memory is pinned, 6.12",
        member: Member::Overhead,
        figures: BYSTANDERS_612,
        value: Value::MostRatio,
        limit: Limit::AtMost(1.03),
        floor: "",
    },
    Target {
        what: "the same on 7.3",
        member: Member::Overhead,
        figures: BYSTANDERS_73,
        value: Value::MostRatio,
        limit: Limit::AtMost(1.03),
        floor: "",
    },
    Target {
        what: "slowest bystander with all finding hooks attached, 6.12",
        member: Member::Overhead,
        figures: PINNED_612,
        value: Value::MostRatio,
        limit: Limit::AtMost(1.03),
        floor: "the kernel's entry and exit of an attached program are 214 instructions on 6.12; a pair of mprotect calls \
                passes several such programs",
    },
    Target {
        what: "the same on 7.3",
        member: Member::Overhead,
        figures: PINNED_73,
        value: Value::MostRatio,
        limit: Limit::AtMost(1.03),
        floor: "as on 6.12, and the programs keep their thread on its CPU",
    },
    Target {
        what: "pin and release of one page, to update, look-up and deletion of a BPF hash map",
        member: Member::Core,
        figures: &[("native", "1 page, short-term", "chunks")],
        value: Value::Ratio,
        limit: Limit::AtMost(0.7),
        floor: "",
    },
    Target {
        what: "262,144 separate pages in one call, to an array by page frame number",
        member: Member::Core,
        figures: &[
            ("native", "262,144 pages", "chunks"),
            ("native", "262,144 pages", "by frame"),
        ],
        value: Value::Quotient,
        limit: Limit::AtMost(1.3),
        floor: "",
    },
    Target {
        what: "decode, track and fold of an event: 5 million events a second, in ns",
        member: Member::User,
        figures: &[
            ("native", "decode", "time"),
            ("native", "track", "time"),
            ("native", "fold, extents opened and closed", "time"),
        ],
        value: Value::Sum,
        limit: Limit::AtMost(200.0),
        floor: "",
    },
    Target {
        what: "the same where stacks come later (preemptible kernels)",
        member: Member::User,
        figures: &[
            ("native", "decode", "time"),
            ("native", "track, stacks that come later", "time"),
            ("native", "fold, extents opened and closed", "time"),
        ],
        value: Value::Sum,
        limit: Limit::AtMost(200.0),
        floor: "one system call for each opened extent, to read the stack that another program stores later",
    },
    Target {
        what: "snapshot with 100 of 100,000 extents changed, in ns",
        member: Member::User,
        figures: &[("native", "snapshot, 100 of 100000 extents changed", "time")],
        value: Value::Sum,
        limit: Limit::AtMost(1e6),
        floor: "",
    },
    Target {
        what: "resident memory of tracker, model and snapshot with 1,000,000 extents, in bytes",
        member: Member::User,
        figures: &[("native", "resident, 1000000 extents", "memory")],
        value: Value::Sum,
        limit: Limit::AtMost(400.0 * 1024.0 * 1024.0),
        floor: "",
    },
];

impl Target {
    /// Returns the value; `None` if a figure is not stored.
    fn measured(&self, results: &[(Member, Option<BenchResult>)]) -> Option<f64> {
        let (_, result) = results.iter().find(|(member, _)| *member == self.member)?;
        let stored = &result.as_ref()?.figures;
        let find = |(place, workload, variant): &(&str, &str, &str)| {
            stored.iter().find(|figure| {
                (
                    figure.place.as_str(),
                    figure.workload.as_str(),
                    figure.variant.as_str(),
                ) == (*place, *workload, *variant)
            })
        };
        let figures: Vec<_> = self.figures.iter().map(find).collect::<Option<_>>()?;
        let ratios = figures.iter().map(|figure| figure.ratio);
        match self.value {
            Value::Ratio | Value::MostRatio => {
                ratios.collect::<Option<Vec<_>>>()?.into_iter().reduce(f64::max)
            }
            Value::Quotient => Some(figures.first()?.value / figures.get(1)?.value),
            Value::Sum => Some(figures.iter().map(|figure| figure.value).sum()),
        }
    }
}

impl Limit {
    fn is_met(&self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= *limit,
            Self::AtMost(limit) => value <= *limit,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::AtLeast(limit) => format!("at least {}", number(*limit)),
            Self::AtMost(limit) => format!("at most {}", number(*limit)),
        }
    }
}

/// Returns a ratio with three decimals, and a larger number without.
fn number(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.3}")
    } else {
        super::super::figure::shown(value)
    }
}

/// Returns the section about the targets.
pub(super) fn text(results: &[(Member, Option<BenchResult>)]) -> String {
    let mut text = "\n## Targets\n\n| | target | measured | met |\n|---|--:|--:|---|\n".to_owned();
    for target in TARGETS {
        let value = target.measured(results);
        let met = match value {
            None => "not measured".to_owned(),
            Some(value) if target.limit.is_met(value) => "yes".to_owned(),
            Some(_) if target.floor.is_empty() => "no".to_owned(),
            Some(_) => format!("no: {}", target.floor),
        };
        let value = value.map_or_else(|| "-".to_owned(), number);
        let _ = writeln!(
            text,
            "| {} | {} | {value} | {met} |",
            target.what,
            target.limit.text()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_without_figures_is_not_measured() {
        let text = text(&[]);
        assert_eq!(text.matches("not measured").count(), TARGETS.len());
    }

    #[test]
    fn limits_work_both_ways() {
        assert!(Limit::AtLeast(0.9).is_met(0.9) && !Limit::AtLeast(0.9).is_met(0.89));
        assert!(Limit::AtMost(1.03).is_met(1.0) && !Limit::AtMost(1.03).is_met(1.04));
    }

    /// A renamed workload would silently become "not measured".
    #[test]
    fn each_target_names_workloads_that_are_stored() {
        for target in TARGETS {
            let stored = target.member.committed().unwrap().unwrap().figures;
            for (place, workload, _) in target.figures {
                let is_meant = |figure: &super::super::super::figure::Figure| {
                    (figure.place.as_str(), figure.workload.as_str()) == (*place, *workload)
                };
                assert!(stored.iter().any(is_meant), "{place}: {workload}");
            }
        }
    }
}
