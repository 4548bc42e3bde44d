//! The map of the test pins: pins that pintrace takes and releases itself while the gate is closed, to find out whether
//! the hooks see both. The ledger does not contain these pins.

/// Indices of the words of the map.
pub mod word {
    /// The thread that takes test pins, as tgid << 32 | tid; 0 for none.
    pub const THREAD: u32 = 0;
    /// Number of pages that the hooks saw the thread pin.
    pub const ACQUIRED: u32 = 1;
    /// Number of these pages that the hooks saw any task release.
    pub const RELEASED: u32 = 2;
    /// The first of [`super::MOST_PAGES`] words: the address of the struct page of each pinned page.
    pub const FIRST_PAGE: u32 = 3;
}

/// Most pages that one call may test.
pub const MOST_PAGES: u32 = 4;

/// Number of words of the map.
pub const WORDS: u32 = word::FIRST_PAGE + MOST_PAGES;
