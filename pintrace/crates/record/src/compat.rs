//! Which recordings can be read: the versions, and what a change to the stream asks for.
//!
//! Events are written with the names of their fields. A new field with `#[serde(default)]` needs no
//! new version: older readers skip it, newer ones fill it in. A new kind of event, a renamed field
//! or another layout does: raise [`CURRENT`], and [`OLDEST`] only when old files are given up.
//!
//! | version | what it brought |
//! |---|---|
//! | 1 | pins, vmstat, losses, looks at memory |
//! | 2 | what findings are made of: touches, extents that shrink, ends of address spaces, copies, windows and their check |

/// The version that this build writes.
pub const CURRENT: u16 = 2;
/// The oldest version that this build reads.
pub const OLDEST: u16 = 1;

/// Whether a recording of that version can be read.
#[must_use]
pub const fn verdict(version: u16) -> Readability {
    if version < OLDEST {
        Readability::TooOld
    } else if version > CURRENT {
        Readability::TooNew
    } else {
        Readability::Readable
    }
}

/// What can be done with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readability {
    /// This build reads it.
    Readable,
    /// An older build does.
    TooOld,
    /// A newer build does.
    TooNew,
}
