//! Folios that look pinned and that vmstat rules out.
//!
//! A small folio looks pinned if it has 1,024 references or more, of whatever kind: a page that is spliced into pipes
//! 2,048 times looks like a page with two pins. If vmstat counts exactly the pins that tables and the exact counts of
//! large folios explain, then the small folios without an explanation have no pins.

use super::claims::Divided;
use super::join::sum;
use super::pinned_folios::{FolioRun, Folios, ImplausiblePin, NotPinned};
use pintrace_kernel::layout::PIN_BIAS;

/// Most folios that are kept with the reason.
const KEPT: usize = 1024;

/// The folios that vmstat rules out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RuledOut {
    /// The folios, by frame, with the pins that they seem to have.
    pub(super) runs: Vec<FolioRun>,
}

impl RuledOut {
    /// Returns the number of folios.
    pub(super) fn count(&self) -> u64 {
        self.runs.iter().map(|run| run.folios).sum()
    }

    /// Returns the first folios with the reason.
    pub(super) fn implausible(&self) -> impl Iterator<Item = ImplausiblePin> {
        let frames = self
            .runs
            .iter()
            .flat_map(|run| (run.pfn..run.end()).map(move |pfn| (pfn, run)));
        frames.take(KEPT).map(|(pfn, run)| ImplausiblePin {
            pfn,
            kind: run.kind,
            references: run.pins.saturating_mul(PIN_BIAS),
            maps: 0,
            why: NotPinned::Vmstat,
        })
    }
}

/// Returns true if a small folio has pins that no table explains, so that vmstat matters.
pub(super) fn is_possible(divided: &Divided) -> bool {
    divided.rest.runs().iter().any(|run| run.order == 0)
}

/// Removes from `divided.rest` the small folios that vmstat rules out. `held` is the number of pins by vmstat.
pub(super) fn remove(divided: &mut Divided, held: i128) -> RuledOut {
    let runs = divided.rest.runs();
    let large = sum(runs.iter().filter(|run| run.order > 0));
    let explained: u64 = divided.holders.iter().map(|holder| sum(&holder.runs).pages).sum();
    let mut out = RuledOut::default();
    if i128::from(explained + large.pages) != held {
        return out;
    }
    let mut rest = Folios::default();
    for run in runs {
        if run.order > 0 {
            rest.add_run(*run);
        } else {
            out.runs.push(*run);
        }
    }
    divided.rest = rest;
    out
}

#[cfg(test)]
mod tests {
    use super::super::claims::TableHolder;
    use super::super::kind::MemoryKind;
    use super::*;

    fn run(pfn: u64, order: u8, pins: u32) -> FolioRun {
        FolioRun {
            pfn,
            folios: 1,
            order,
            kind: MemoryKind::Anon,
            pins,
            exclusive: None,
            index: 0,
        }
    }

    /// 64 pins of a table, 3 pins of a large folio, 2 pins of a small folio.
    fn divided() -> Divided {
        let mut divided = Divided::default();
        divided.holders.push(TableHolder {
            runs: vec![run(1, 0, 64)],
            ..TableHolder::default()
        });
        divided.rest.add_run(run(5, 0, 2));
        divided.rest.add_run(run(512, 9, 3));
        divided
    }

    #[test]
    fn a_small_folio_for_which_vmstat_leaves_no_pin_is_not_pinned() {
        let mut divided = divided();
        assert!(is_possible(&divided));
        let out = remove(&mut divided, 67);
        let implausible: Vec<_> = out.implausible().map(|one| (one.pfn, one.references)).collect();
        assert_eq!((out.count(), implausible), (1, vec![(5, 2048)]));
        assert_eq!(sum(divided.rest.runs()).pages, 3);
        assert!(!is_possible(&divided));
    }

    #[test]
    fn a_small_folio_for_which_vmstat_leaves_pins_stays() {
        for held in [66, 68, 69, -1] {
            let mut divided = divided();
            assert_eq!(remove(&mut divided, held), RuledOut::default());
            assert_eq!(sum(divided.rest.runs()).pages, 5);
        }
    }
}
