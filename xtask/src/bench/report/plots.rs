//! The plots of docs/performance.md, by benchmark and place.

use super::super::figure::{Better, Figure};
use super::super::result::{BenchResult, Member};
use super::super::stages;
use super::curves::{self, Curve};
use super::line_plot::LinePlot;
use super::plot::{Bar, BarGroup, BarPlot};

/// Returns the name of the plot; `None` if the benchmark has no plots.
pub(super) fn name(member: Member, place: &str) -> Option<String> {
    match member {
        Member::Overhead | Member::Attach => Some(format!("{}-{place}", member.name())),
        _ => None,
    }
}

/// Returns the plots of a benchmark: names and texts.
pub(super) fn of(member: Member, result: &BenchResult) -> Vec<(String, String)> {
    let places = result.distinct(|figure| &figure.place);
    let plot = |place: &&str| Some((name(member, place)?, plot(member, result, place).svg()));
    let bars = places.iter().filter_map(plot);
    bars.chain(lines(member, result)).collect()
}

/// Returns the curves of the plots of `bench user`: the name, the title, and the curves.
pub(super) fn grown(member: Member, result: &BenchResult) -> Vec<(String, String, Vec<Curve>)> {
    let mut plots: Vec<(String, String, Vec<Curve>)> = Vec::new();
    if member != Member::User {
        return plots;
    }
    for variant in ["time", stages::MEMORY] {
        for curve in curves::of(&result.figures, variant) {
            let name = format!("user-{}-{variant}", curve.of);
            if let Some((.., curves)) = plots.iter_mut().find(|(other, ..)| *other == name) {
                curves.push(curve);
            } else {
                let title = format!("{variant} in {}, by number N of {}", curve.unit, curve.of);
                plots.push((name, title, vec![curve]));
            }
        }
    }
    plots
}

fn lines(member: Member, result: &BenchResult) -> impl Iterator<Item = (String, String)> {
    grown(member, result).into_iter().map(|(name, title, curves)| {
        let curves = curves.into_iter().map(|curve| (curve.label, curve.points));
        let plot = LinePlot {
            title,
            curves: curves.collect(),
        };
        (name, plot.svg())
    })
}

fn plot(member: Member, result: &BenchResult, place: &str) -> BarPlot {
    let here = |figure: &&Figure| figure.place == place;
    let figures: Vec<&Figure> = result.figures.iter().filter(here).collect();
    let (title, limit) = match member {
        Member::Overhead => ("time of one operation, relative to the run without pintrace", 2.5),
        _ => ("seconds", f64::INFINITY),
    };
    let mut groups: Vec<BarGroup> = Vec::new();
    for figure in figures {
        let Some(value) = value(member, figure) else {
            continue;
        };
        let bar = Bar {
            series: figure.variant.clone(),
            value,
        };
        match groups.iter_mut().find(|group| group.label == figure.workload) {
            Some(group) => group.bars.push(bar),
            None => groups.push(BarGroup {
                label: figure.workload.clone(),
                bars: vec![bar],
            }),
        }
    }
    BarPlot {
        title: format!("{place}: {title}"),
        groups,
        limit,
    }
}

/// Returns the length of the bar of a figure.
fn value(member: Member, figure: &Figure) -> Option<f64> {
    match (member, figure.better) {
        (Member::Overhead, Better::Higher) => Some(1.0 / figure.ratio?),
        (Member::Overhead, Better::Lower) => figure.ratio,
        _ => Some(figure.value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::figure::tests::figure;
    use super::*;

    #[test]
    fn a_rate_is_plotted_as_a_relative_time() {
        let rate = figure("fio", "record", 0.5, Better::Higher);
        let time = figure("fork", "record", 1.5, Better::Lower);
        assert_eq!(value(Member::Overhead, &rate), Some(2.0));
        assert_eq!(value(Member::Overhead, &time), Some(1.5));
        assert_eq!(value(Member::Attach, &time), Some(1500.0));
        let result = BenchResult {
            figures: vec![rate, time],
            ..BenchResult::default()
        };
        let plots = of(Member::Overhead, &result);
        assert_eq!(plots.len(), 1);
        assert_eq!(plots[0].0, "overhead-6.12");
        assert!(of(Member::User, &result).is_empty());
    }
}
