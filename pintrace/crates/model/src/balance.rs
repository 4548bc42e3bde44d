//! The balance of vmstat and ledger for the snapshot.

use pintrace_events::BalanceSampled;

use crate::snapshot::Balance;

/// Computes the balance of a sample. Values are clamped, because a forged recording may contain any numbers.
pub(crate) fn balance(sample: &BalanceSampled) -> Balance {
    let sums = sample.sums();
    let unaccounted = sums.unaccounted();
    Balance {
        vmstat_readable: sums.vmstat.is_some(),
        vmstat_acquired: sample.vmstat_acquired.unwrap_or(0),
        vmstat_released: sample.vmstat_released.unwrap_or(0),
        vmstat_held: clamp(sums.vmstat.unwrap_or(0)),
        ledger_acquired: sample.ledger_acquired,
        ledger_released: sample.ledger_released,
        ledger_held: clamp(sums.ledger),
        not_in_vmstat: sample.not_in_vmstat,
        gup_retry: sample.gup_retry,
        preexisting_held: clamp(sums.preexisting),
        preexisting_released: sample.preexisting_released,
        lost_pin_released: sample.lost_pin_released,
        unaccounted: clamp(unaccounted),
        in_flight: clamp(sums.difference() - unaccounted),
        ambiguous_owner: sample.ambiguous_owner,
        preexisting_attributed: sample.preexisting_attributed,
        reconciled_pages: sample.reconciled_pages,
    }
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BalanceSampled {
        BalanceSampled {
            vmstat_acquired: Some(110),
            vmstat_released: Some(40),
            preexisting_held: 20,
            ledger_acquired: 100,
            ledger_released: 25,
            preexisting_released: 5,
            gup_retry: 10,
            ..BalanceSampled::default()
        }
    }

    #[test]
    fn counters_that_agree_leave_nothing_unaccounted() {
        let balance = balance(&sample());
        assert_eq!(
            (balance.vmstat_held, balance.preexisting_held, balance.ledger_held),
            (90, 15, 75)
        );
        assert_eq!(balance.unaccounted, 0);
    }

    #[test]
    fn pages_in_flight_are_not_unaccounted() {
        let late = BalanceSampled {
            ledger_acquired: 97,
            in_flight: 2,
            ..sample()
        };
        assert_eq!(balance(&late).unaccounted, 1);
        let early = BalanceSampled {
            ledger_acquired: 103,
            in_flight: 4,
            ..sample()
        };
        assert_eq!(balance(&early).unaccounted, 0);
        let over = BalanceSampled {
            ledger_acquired: 103,
            in_flight: 1,
            ..sample()
        };
        assert_eq!(balance(&over).unaccounted, -2);
    }

    #[test]
    fn unreadable_vmstat_leaves_nothing_unaccounted() {
        let unreadable = BalanceSampled {
            vmstat_acquired: None,
            ..sample()
        };
        let balance = balance(&unreadable);
        assert!(!balance.vmstat_readable);
        assert_eq!(balance.unaccounted, 0);
        assert_eq!(balance.ledger_held, 75);
    }

    #[test]
    fn forged_counters_saturate() {
        let forged = BalanceSampled {
            vmstat_acquired: Some(u64::MAX),
            vmstat_released: Some(0),
            preexisting_held: u64::MAX,
            ledger_released: u64::MAX,
            in_flight: u64::MAX,
            ..BalanceSampled::default()
        };
        let balance = balance(&forged);
        assert_eq!(balance.vmstat_held, i64::MAX);
        assert_eq!(balance.ledger_held, i64::MIN);
    }
}
