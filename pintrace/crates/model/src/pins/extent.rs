//! One long-term extent.

use std::num::NonZeroU64;
use std::ops::Range;

use pintrace_events::ExtentOpened;
use pintrace_events::units::{AccountId, ExtentId, Nanos};

use super::extent_index::{Location, in_file, in_memory};

/// One extent, open or closed lately.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExtentState {
    /// The opening event. Samples update `end`, `pages`, `bytes_held` and `stack`.
    pub(crate) opened: ExtentOpened,
    /// Time of the opening.
    pub(crate) since: Nanos,
    /// Pages held now.
    pub(crate) pages_held: u64,
    /// Time at which the first page was released while others stayed. From then on, the model knows the number of
    /// remaining pages and not their addresses.
    pub(crate) partially_released: Moment,
    /// The number of remaining pages is not certain either.
    pub(crate) ambiguous_owner: bool,
    /// Pages may belong to another file than the first page.
    pub(crate) areas_unknown: bool,
    /// Time of the latest sample, or of the opening.
    pub(crate) sampled: Nanos,
    /// Time at which the extent's mm exited.
    pub(crate) mm_exited: Moment,
    /// Time from which on the extent outlives its mm: the exit of the mm, or a later time, because a process closes its
    /// files after its mm is gone.
    pub(crate) outlives_from: Moment,
    /// Time at which the last reference to the open file that pinned went away.
    pub(crate) file_released: Moment,
    /// The extent's file was freed.
    pub(crate) file_freed: bool,
    pub(crate) shown: Shown,
}

/// A moment that may not have come. It takes 8 bytes instead of the 16 of an `Option`, and there are many extents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment(Option<NonZeroU64>);

impl Moment {
    /// Returns a moment that has come. The last two possible times count as one.
    pub(crate) fn at(time: Nanos) -> Self {
        Self(NonZeroU64::new(time.0.saturating_add(1)))
    }

    /// Returns the time; `None` if the moment has not come.
    pub(crate) fn get(self) -> Option<Nanos> {
        self.0.map(|next| Nanos(next.get() - 1))
    }

    /// Returns this moment if it has come, or else a moment at `time`.
    pub(crate) fn or_at(self, time: Nanos) -> Self {
        Self(self.0.or(Self::at(time).0))
    }
}

/// The extent in the last snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// The extent is in the list of changes since then.
    pub(crate) changed: bool,
    /// The process of the extent's account lists the extent.
    pub(crate) listed: bool,
}

/// The place of an extent among the extents of its process: oldest first, then by address, so that a live session and its
/// replay agree.
pub(crate) type ExtentOrder = (Nanos, u64, AccountId, ExtentId);

/// The part of a range that one extent holds.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) extent: ExtentState,
    /// Pieces of the part, as addresses or as file offsets like the range; not empty.
    pub(crate) parts: Vec<Range<u64>>,
}

impl ExtentState {
    /// The state of an extent that was opened at `time`.
    pub(crate) fn opened(time: Nanos, opened: ExtentOpened) -> Self {
        Self {
            opened,
            since: time,
            pages_held: opened.pages,
            partially_released: Moment::default(),
            ambiguous_owner: false,
            areas_unknown: false,
            sampled: time,
            mm_exited: Moment::default(),
            outlives_from: Moment::default(),
            file_released: Moment::default(),
            file_freed: false,
            shown: Shown::default(),
        }
    }

    /// The place of the extent among the extents of its process. It never changes.
    pub(crate) fn order(&self) -> ExtentOrder {
        let opened = &self.opened;
        (self.since, opened.address, opened.account, opened.extent)
    }

    /// The locations of the extent in a living mm and in an existing file.
    pub(super) fn locations(&self) -> impl Iterator<Item = Location> {
        let memory = in_memory(&self.opened).filter(|_| self.mm_exited.get().is_none());
        let file = in_file(&self.opened).filter(|_| !self.file_freed);
        memory.into_iter().chain(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_keeps_its_first_time() {
        let never = Moment::default();
        assert_eq!(never.get(), None);
        for time in [0, 7, u64::MAX - 1] {
            assert_eq!(Moment::at(Nanos(time)).get(), Some(Nanos(time)));
        }
        assert_eq!(Moment::at(Nanos(u64::MAX)).get(), Some(Nanos(u64::MAX - 1)));
        assert_eq!(never.or_at(Nanos(5)).or_at(Nanos(6)).get(), Some(Nanos(5)));
    }
}
