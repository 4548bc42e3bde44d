//! Books against ledger, as the snapshot has them.

use pintrace_events::TruthSampled;

use super::snapshot::Truth;

/// What a sample says. Clamped, because a forged recording may hold any numbers.
pub(super) fn truth(sample: &TruthSampled) -> Truth {
    let balance = sample.balance();
    let unaccounted = balance.unaccounted();
    Truth {
        books_readable: balance.books.is_some(),
        books_acquired: sample.books_acquired.unwrap_or(0),
        books_released: sample.books_released.unwrap_or(0),
        books_held: clamp(balance.books.unwrap_or(0)),
        ledger_acquired: sample.ledger_acquired,
        ledger_released: sample.ledger_released,
        ledger_held: clamp(balance.ledger),
        unbooked: sample.unbooked,
        internal: sample.internal,
        opening_held: clamp(balance.opening),
        opening_released: sample.opening_released,
        unaccounted: clamp(unaccounted),
        under_way: clamp(balance.difference() - unaccounted),
        ambiguous: sample.ambiguous,
        opening_known: sample.opening_known,
        healed_pages: sample.healed_pages,
    }
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TruthSampled {
        TruthSampled {
            books_acquired: Some(110),
            books_released: Some(40),
            opening_held: 20,
            ledger_acquired: 100,
            ledger_released: 25,
            opening_released: 5,
            internal: 10,
            ..TruthSampled::default()
        }
    }

    #[test]
    fn books_that_agree_leave_nothing_unaccounted() {
        let truth = truth(&sample());
        assert_eq!(
            (truth.books_held, truth.opening_held, truth.ledger_held),
            (90, 15, 75)
        );
        assert_eq!(truth.unaccounted, 0);
    }

    #[test]
    fn pages_in_flight_are_not_called_unaccounted() {
        let late = TruthSampled {
            ledger_acquired: 97,
            in_flight: 2,
            ..sample()
        };
        assert_eq!(truth(&late).unaccounted, 1);
        let early = TruthSampled {
            ledger_acquired: 103,
            in_flight: 4,
            ..sample()
        };
        assert_eq!(truth(&early).unaccounted, 0);
        let over = TruthSampled {
            ledger_acquired: 103,
            in_flight: 1,
            ..sample()
        };
        assert_eq!(truth(&over).unaccounted, -2);
    }

    #[test]
    fn unreadable_books_accuse_nobody() {
        let blind = TruthSampled {
            books_acquired: None,
            ..sample()
        };
        let truth = truth(&blind);
        assert!(!truth.books_readable);
        assert_eq!(truth.unaccounted, 0);
        assert_eq!(truth.ledger_held, 75);
    }

    #[test]
    fn forged_counters_saturate() {
        let forged = TruthSampled {
            books_acquired: Some(u64::MAX),
            books_released: Some(0),
            opening_held: u64::MAX,
            ledger_released: u64::MAX,
            in_flight: u64::MAX,
            ..TruthSampled::default()
        };
        let truth = truth(&forged);
        assert_eq!(truth.books_held, i64::MAX);
        assert_eq!(truth.ledger_held, i64::MIN);
    }
}
