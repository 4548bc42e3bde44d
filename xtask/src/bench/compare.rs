//! `--check`: compares figures with the committed figures.

use super::figure::{Better, Figure, shown};
use super::result::BenchResult;

/// The outcome of a comparison.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// One line for each figure that is worse than the margin allows, or is not in both results.
    pub(crate) failures: Vec<String>,
    /// One line for each figure that is better by more than the margin.
    pub(crate) improvements: Vec<String>,
    /// Number of compared figures.
    pub(crate) compared: usize,
}

/// Compares the figures of the places that were measured.
pub(crate) fn compare(committed: &BenchResult, measured: &BenchResult) -> Comparison {
    let mut comparison = Comparison::default();
    for place in measured.distinct(|figure| &figure.place) {
        if !committed.has_place(place) {
            comparison
                .failures
                .push(format!("{place} has no committed figures: run with --update"));
        }
    }
    for expected in &committed.figures {
        if !measured.has_place(&expected.place) {
            continue;
        }
        match measured.figures.iter().find(|figure| figure.is_same_as(expected)) {
            Some(figure) => comparison.add(expected, figure),
            None => comparison
                .failures
                .push(format!("{} was not measured", expected.name())),
        }
    }
    comparison
}

impl Comparison {
    fn add(&mut self, committed: &Figure, measured: &Figure) {
        // The committed margin counts, so that a change of the margin shows in the diff of the committed file.
        let Some(margin) = committed.margin else {
            return;
        };
        self.compared += 1;
        let (before, now) = (committed.compared(), measured.compared());
        let worse = match committed.better {
            Better::Higher => before - now,
            Better::Lower => now - before,
        };
        let allowed = before.abs() * margin;
        let line = || {
            format!(
                "{}: {} instead of {} (margin {:.0} %)",
                committed.name(),
                shown(now),
                shown(before),
                margin * 100.0
            )
        };
        if worse.is_nan() || worse > allowed {
            self.failures.push(line());
        } else if -worse > allowed {
            self.improvements.push(line());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::tests::figure;
    use super::super::result::Member;
    use super::*;

    fn result(figures: &[Figure]) -> BenchResult {
        BenchResult {
            figures: figures.to_vec(),
            ..BenchResult::default()
        }
    }

    fn compared(committed: f64, measured: f64, better: Better) -> Comparison {
        compare(
            &result(&[figure("fork", "record", committed, better)]),
            &result(&[figure("fork", "record", measured, better)]),
        )
    }

    #[test]
    fn a_figure_that_is_worse_than_the_margin_fails_by_name() {
        for (committed, measured, better) in [
            (0.9, 0.87, Better::Higher),
            (1.0, 1.03, Better::Lower),
            (1.0, f64::NAN, Better::Lower),
        ] {
            let comparison = compared(committed, measured, better);
            assert_eq!(comparison.failures.len(), 1, "{comparison:?}");
            assert!(
                comparison.failures[0].starts_with("6.12, fork, record: "),
                "{comparison:?}"
            );
        }
    }

    #[test]
    fn each_compared_figure_of_user_space_fails_when_it_is_worse() {
        let committed = Member::User.committed().unwrap().unwrap();
        assert_eq!(compare(&committed, &committed).failures, [""; 0]);
        let compared: Vec<_> = committed
            .figures
            .iter()
            .filter(|figure| figure.margin.is_some())
            .collect();
        assert!(compared.len() > 50, "{}", compared.len());
        for figure in compared {
            let mut worse = committed.clone();
            let changed = worse
                .figures
                .iter_mut()
                .find(|other| other.is_same_as(figure))
                .unwrap();
            changed.value = changed.value * 2.0 + 1.0;
            changed.ratio = changed.ratio.map(|ratio| ratio * 2.0);
            let failures = compare(&committed, &worse).failures;
            assert!(
                matches!(&failures[..], [one] if one.starts_with(&figure.name())),
                "{failures:?}"
            );
        }
    }

    #[test]
    fn a_figure_within_the_margin_or_better_passes() {
        for (committed, measured, better, improvements) in [
            (0.9, 0.89, Better::Higher, 0),
            (1.0, 1.01, Better::Lower, 0),
            (0.9, 0.95, Better::Higher, 1),
            (1.1, 1.0, Better::Lower, 1),
        ] {
            let comparison = compared(committed, measured, better);
            assert_eq!(comparison.failures, [""; 0]);
            assert_eq!(
                (comparison.improvements.len(), comparison.compared),
                (improvements, 1)
            );
        }
    }

    #[test]
    fn missing_figures_and_places_fail() {
        let one = figure("fork", "record", 1.0, Better::Lower);
        let other = figure("fork", "serve", 1.0, Better::Lower);
        let comparison = compare(
            &result(&[one.clone(), other]),
            &result(std::slice::from_ref(&one)),
        );
        assert_eq!(comparison.failures, ["6.12, fork, serve was not measured"]);
        let comparison = compare(&result(&[]), &result(&[one]));
        assert_eq!(
            comparison.failures,
            ["6.12 has no committed figures: run with --update"]
        );
    }

    #[test]
    fn a_place_that_was_not_measured_is_not_compared() {
        let elsewhere = Figure {
            place: "7.3".to_owned(),
            ..figure("fork", "record", 9.0, Better::Lower)
        };
        let here = figure("fork", "record", 1.0, Better::Lower);
        let comparison = compare(&result(&[here.clone(), elsewhere]), &result(&[here]));
        assert_eq!((comparison.failures.len(), comparison.compared), (0, 1));
    }

    #[test]
    fn a_figure_without_a_margin_is_not_compared() {
        let mut free = figure("fork", "bare", 1.0, Better::Lower);
        free.margin = None;
        let slower = Figure {
            value: 9000.0,
            ratio: Some(9.0),
            ..free.clone()
        };
        assert_eq!(compare(&result(&[free]), &result(&[slower])).compared, 0);
    }
}
