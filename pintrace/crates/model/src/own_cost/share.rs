//! Shares of one CPU and of the machine, as text.

use pintrace_events::units::Nanos;

/// Returns a share, from 0 to the number of CPUs, of one CPU and of a machine with `cpus` CPUs; 0 if unknown.
pub(super) fn shares(share: f64, cpus: u32) -> String {
    let of_one = format!("{} of one CPU", percent(share));
    match cpus {
        0 => of_one,
        cpus => format!("{of_one}, {} of this machine", percent(share / f64::from(cpus))),
    }
}

/// Returns a share, from 0 to the number of CPUs, in per cent.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        none if none <= 0.0 || !none.is_finite() => "0%".to_owned(),
        little if little < 0.01 => "<0.01%".to_owned(),
        some if some < 9.995 => format!("{some:.2}%"),
        many => format!("{many:.1}%"),
    }
}

/// Returns a part of a whole; `None` if the whole is 0.
pub(super) fn ratio(part: Nanos, whole: Nanos) -> Option<f64> {
    (whole.0 > 0).then(|| as_float(part.0) / as_float(whole.0))
}

#[expect(clippy::cast_precision_loss, reason = "figures with three digits")]
pub(super) fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shares_are_not_zero() {
        let cases = [
            (0.0, "0%"),
            (0.000_001, "<0.01%"),
            (0.001_234, "0.12%"),
            (1.5, "150.0%"),
        ];
        for (share, text) in cases {
            assert_eq!(percent(share), text);
        }
        assert_eq!(percent(f64::NAN), "0%");
    }
}
