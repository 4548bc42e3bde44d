//! Details that a session gave up to keep within its budget, in words.

use pintrace_events::{Detail, DetailShed};

/// Returns a sentence about the details; `None` without one.
#[must_use]
pub fn note(shed: &[DetailShed]) -> Option<String> {
    let last = shed.last()?;
    let gone: Vec<_> = shed.iter().map(|one| gone(one.detail)).collect();
    Some(format!(
        "Given up to keep within --budget {}, because pintrace took {} of one CPU: {}. The totals stay exact.",
        percent(last.budget_ppm),
        percent(last.cost_ppm),
        gone.join("; ")
    ))
}

const fn gone(detail: Detail) -> &'static str {
    match detail {
        Detail::Samples => "samples are further apart",
        Detail::Findings => "no new findings on copies, forks, mapping changes and flush windows",
    }
}

/// Returns millionths in per cent.
fn percent(ppm: u64) -> String {
    format!("{}.{:02} %", ppm / 10_000, ppm / 100 % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_and_why_is_said() {
        assert_eq!(note(&[]), None);
        let shed = |detail, cost_ppm| DetailShed {
            detail,
            cost_ppm,
            budget_ppm: 10_000,
        };
        let both = [shed(Detail::Samples, 34_500), shed(Detail::Findings, 20_000)];
        let expected = "Given up to keep within --budget 1.00 %, because pintrace took 2.00 % of one CPU: samples are \
                        further apart; no new findings on copies, forks, mapping changes and flush windows. The totals \
                        stay exact.";
        assert_eq!(note(&both).as_deref(), Some(expected));
    }
}
