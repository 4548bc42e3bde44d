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
    /// The sum of the figures.
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

const REST: &str = "at rest, no pins";
const MILLION: &str = "999424 extents";
const TOP_AT_REST: &str = "no changes";
const TOP_BUSY: &str = "processes that pin one after another";
const COPY_HOOK_612: [(&str, &str, &str); 2] = copy_hook("6.12");
const COPY_HOOK_73: [(&str, &str, &str); 2] = copy_hook("7.3");
const ATTACH_FLOOR: &str = "the target is half of what a guest took whose clock is that of the host; here a second is 500 million \
                            instructions of the emulator. The kernel takes up to 0.1 s for each function that it detaches. By the clock of the host, a guest misses the target too";

const fn copy_hook(place: &'static str) -> [(&'static str, &'static str, &'static str); 2] {
    [
        (place, "copy hook, enter, no pins in the mm", "run time"),
        (place, "copy hook, leave, no pins in the mm", "run time"),
    ]
}

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
        floor: "fork alone, which differs by some 5 % from process to process; no hook is on its way then",
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
        what: "20 threads of direct I/O, 64 pages a call, 7.3: calls lost per million",
        member: Member::LostCalls,
        figures: &[("7.3", "20 threads, 64 pages a call", "lost, per million")],
        value: Value::Sum,
        limit: Limit::AtMost(200.0),
        floor: "both copies of a program were preempted; how often depends on how the host schedules the two processors",
    },
    Target {
        what: "the same: lost calls in no counter",
        member: Member::LostCalls,
        figures: &[("7.3", "20 threads, 64 pages a call", "in no counter")],
        value: Value::Sum,
        limit: Limit::AtMost(0.0),
        floor: "",
    },
    Target {
        what: "release of a page that the session did not see pinned, to an empty program, 6.12",
        member: Member::Programs,
        figures: &[(
            "6.12",
            "release of a page that the session did not see pinned",
            "run time",
        )],
        value: Value::Ratio,
        limit: Limit::AtMost(2.0),
        floor: "the program reads four words of the page and the page's cell in the folio table",
    },
    Target {
        what: "the same on 7.3",
        member: Member::Programs,
        figures: &[(
            "7.3",
            "release of a page that the session did not see pinned",
            "run time",
        )],
        value: Value::Ratio,
        limit: Limit::AtMost(2.0),
        floor: "as on 6.12",
    },
    Target {
        what: "copy hook, entry and return, of an mm without pins, to an empty program, 6.12",
        member: Member::Programs,
        figures: &COPY_HOOK_612,
        value: Value::MostRatio,
        limit: Limit::AtMost(2.0),
        floor: "the entry reads the mm of the fault through two pointers, and looks the mm up in an array",
    },
    Target {
        what: "the same on 7.3",
        member: Member::Programs,
        figures: &COPY_HOOK_73,
        value: Value::MostRatio,
        limit: Limit::AtMost(2.0),
        floor: "as on 6.12, and the programs keep their thread on its CPU",
    },
    Target {
        what: "`serve` at rest, % of one CPU, 6.12",
        member: Member::Daemon,
        figures: &[("6.12", REST, "CPU")],
        value: Value::Sum,
        limit: Limit::AtMost(0.2),
        floor: "a second of this clock is 500 million instructions, a sixth of what a processor does in a second",
    },
    Target {
        what: "the same on 7.3",
        member: Member::Daemon,
        figures: &[("7.3", REST, "CPU")],
        value: Value::Sum,
        limit: Limit::AtMost(0.2),
        floor: "as on 6.12",
    },
    Target {
        what: "`serve` at rest, resident memory, in MiB, 6.12",
        member: Member::Daemon,
        figures: &[("6.12", REST, "resident memory")],
        value: Value::Sum,
        limit: Limit::AtMost(40.0),
        floor: "",
    },
    Target {
        what: "`top` with 98,304 extents at rest, % of one CPU, 6.12",
        member: Member::Top,
        figures: &[("6.12", TOP_AT_REST, "CPU")],
        value: Value::Sum,
        limit: Limit::AtMost(1.0),
        floor: "a second of this clock is 500 million instructions, a sixth of what a processor does in a second",
    },
    Target {
        what: "the same while processes pin, % of one CPU",
        member: Member::Top,
        figures: &[("6.12", TOP_BUSY, "CPU")],
        value: Value::Sum,
        limit: Limit::AtMost(10.0),
        floor: "a second of this clock is 500 million instructions, a sixth of what a processor does in a second",
    },
    Target {
        what: "the same: resident memory, in MiB",
        member: Member::Top,
        figures: &[("6.12", TOP_BUSY, "resident memory")],
        value: Value::Sum,
        limit: Limit::AtMost(150.0),
        floor: "",
    },
    Target {
        what: "999,424 open extents: BPF maps, in MiB, 6.12",
        member: Member::Daemon,
        figures: &[("6.12", MILLION, "BPF maps")],
        value: Value::Sum,
        limit: Limit::AtMost(200.0),
        floor: "",
    },
    Target {
        what: "the same: resident memory, in MiB",
        member: Member::Daemon,
        figures: &[("6.12", MILLION, "resident memory")],
        value: Value::Sum,
        limit: Limit::AtMost(400.0),
        floor: "tracker, model and snapshot take 382 MiB (the last row), and pintrace without extents 30 MiB",
    },
    Target {
        what: "the same: losses",
        member: Member::Daemon,
        figures: &[("6.12", MILLION, "losses")],
        value: Value::Sum,
        limit: Limit::AtMost(0.0),
        floor: "",
    },
    Target {
        what: "`record -- true` from start to end, in s, 6.12",
        member: Member::Attach,
        figures: &[("6.12", "record -- true, whole run", "idle")],
        value: Value::Sum,
        limit: Limit::AtMost(4.15),
        floor: ATTACH_FLOOR,
    },
    Target {
        what: "stop of `serve`, in s, 6.12",
        member: Member::Attach,
        figures: &[("6.12", "serve, SIGINT until exit", "idle")],
        value: Value::Sum,
        limit: Limit::AtMost(2.25),
        floor: ATTACH_FLOOR,
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
    Target {
        what: "live view with 100,000 extents in 10,000 processes: slowest view, frame, 99th percentile, in ns",
        member: Member::Tui,
        figures: &[("native", "call sites, 100,000 extents: frame, p99", "time")],
        value: Value::Sum,
        limit: Limit::AtMost(8e6),
        floor: "",
    },
    Target {
        what: "the same, from the key to the picture of a view",
        member: Member::Tui,
        figures: &[(
            "native",
            "call sites, 100,000 extents: key to picture, p99",
            "time",
        )],
        value: Value::Sum,
        limit: Limit::AtMost(50e6),
        floor: "",
    },
    Target {
        what: "the same, a refresh each second: 10 % of a core",
        member: Member::Tui,
        figures: &[("native", "call sites, 100,000 extents: tick, p99", "time")],
        value: Value::Sum,
        limit: Limit::AtMost(100e6),
        floor: "",
    },
    Target {
        what: "the same without changes: 1 % of a core",
        member: Member::Tui,
        figures: &[(
            "native",
            "call sites, 100,000 extents: tick without changes, p99",
            "time",
        )],
        value: Value::Sum,
        limit: Limit::AtMost(10e6),
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
