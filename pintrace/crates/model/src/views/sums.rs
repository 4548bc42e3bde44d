//! Sums of pins that share a holder or a call site.

use pintrace_events::units::Nanos;

use crate::snapshot::{HeldAccount, OpenExtent};

/// Pins that are shown in one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PinSums {
    /// Number of extents. An account that hooks saw and whose extents are not known counts as one.
    pub extents: u64,
    /// Pages held now.
    pub pages_held: u64,
    /// Bytes kept in place now.
    pub bytes_held: u64,
    /// Time of the oldest pin; `None` if only a scan found the pins.
    pub oldest_since: Option<Nanos>,
    /// Some pins are older than this ([`HeldAccount::older_than`]).
    pub older_than: Option<Nanos>,
}

impl PinSums {
    /// Adds an account of which no extent is known.
    pub(super) fn add_account(&mut self, account: &HeldAccount) {
        self.add(Self {
            extents: u64::from(!account.from_scan),
            pages_held: account.pages_held,
            bytes_held: account.bytes_held,
            oldest_since: account.since,
            older_than: account.older_than,
        });
    }

    /// Adds other sums.
    pub(super) fn add(&mut self, other: Self) {
        self.extents = self.extents.saturating_add(other.extents);
        self.pages_held = self.pages_held.saturating_add(other.pages_held);
        self.bytes_held = self.bytes_held.saturating_add(other.bytes_held);
        self.oldest_since = earlier(self.oldest_since, other.oldest_since);
        self.older_than = earlier(self.older_than, other.older_than);
    }

    fn of_extent(extent: &OpenExtent) -> Self {
        Self {
            extents: 1,
            pages_held: extent.pages_held,
            bytes_held: extent.bytes_held,
            oldest_since: Some(extent.since),
            older_than: None,
        }
    }
}

fn earlier(one: Option<Nanos>, other: Option<Nanos>) -> Option<Nanos> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Returns the first extent and the sums of each run of extents that belong together. A process may hold very many
/// extents, and most of them belong to the row of the extent before.
pub(super) fn runs<'a>(
    extents: impl Iterator<Item = &'a OpenExtent>,
    belong_together: impl Fn(&OpenExtent, &OpenExtent) -> bool,
) -> impl Iterator<Item = (&'a OpenExtent, PinSums)> {
    let mut extents = extents.peekable();
    std::iter::from_fn(move || {
        let first = extents.next()?;
        let mut sums = PinSums::of_extent(first);
        while let Some(next) = extents.next_if(|next| belong_together(first, next)) {
            sums.add(PinSums::of_extent(next));
        }
        Some((first, sums))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(times: &[u64]) -> Vec<OpenExtent> {
        let extent = |time: &u64| OpenExtent {
            since: Nanos(*time),
            pages_held: 2,
            bytes_held: 8192,
            ..OpenExtent::default()
        };
        times.iter().map(extent).collect()
    }

    #[test]
    fn a_run_ends_where_an_extent_does_not_belong_to_the_first_one() {
        let extents = since(&[14, 11, 12, 25, 19]);
        let same_ten = |one: &OpenExtent, other: &OpenExtent| one.since.0 / 10 == other.since.0 / 10;
        let runs: Vec<_> = runs(extents.iter(), same_ten)
            .map(|(first, sums)| (first.since.0, sums.extents, sums.pages_held, sums.oldest_since))
            .collect();
        assert_eq!(
            runs,
            [
                (14, 3, 6, Some(Nanos(11))),
                (25, 1, 2, Some(Nanos(25))),
                (19, 1, 2, Some(Nanos(19)))
            ]
        );
    }

    #[test]
    fn no_extents_are_no_run() {
        assert_eq!(runs([].iter(), |_, _| true).count(), 0);
    }
}
