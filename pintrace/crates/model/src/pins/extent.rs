//! One long-term extent.

use std::ops::Range;

use pintrace_events::ExtentOpened;
use pintrace_events::units::Nanos;

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
    pub(crate) partially_released: Option<Nanos>,
    /// The number of remaining pages is not certain either.
    pub(crate) ambiguous_owner: bool,
    /// Pages may belong to another file than the first page.
    pub(crate) areas_unknown: bool,
    /// Time of the latest sample, or of the opening.
    pub(crate) sampled: Nanos,
    /// Time at which the extent's mm exited.
    pub(crate) mm_exited: Option<Nanos>,
    /// Time from which on the extent outlives its mm: the exit of the mm, or a later time, because a process closes its
    /// files after its mm is gone.
    pub(crate) outlives_from: Option<Nanos>,
    /// Time at which the last reference to the open file that pinned went away.
    pub(crate) file_released: Option<Nanos>,
    /// The extent's file was freed.
    pub(crate) file_freed: bool,
}

/// The part of a range that one extent holds.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) extent: ExtentState,
    /// Pieces of the part, as addresses or as file offsets like the range; not empty.
    pub(crate) parts: Vec<Range<u64>>,
}

impl ExtentState {
    /// The locations of the extent in a living mm and in an existing file.
    pub(super) fn locations(&self) -> impl Iterator<Item = Location> {
        let memory = in_memory(&self.opened).filter(|_| self.mm_exited.is_none());
        let file = in_file(&self.opened).filter(|_| !self.file_freed);
        memory.into_iter().chain(file)
    }
}
