//! Releases whose owner the arguments of the unpin function leave open.

use std::collections::BTreeMap;

use serde::Serialize;

/// Releases of io_uring that may belong to several buffers.
///
/// io_uring releases a page by `unpin_user_page` (then the page is known), or since 6.16 and in later releases of 6.12 by
/// `unpin_user_folio` (then only the folio is known; `io_release_ubuf`, io_uring/rsrc.c).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Ambiguity {
    /// Releases of a page that another buffer contains too.
    by_page: u64,
    /// Releases from a folio on which another buffer lies too.
    by_folio: u64,
}

/// The buffers on each page of a folio.
#[derive(Debug, Default)]
pub(super) struct BuffersByPage {
    buffers: BTreeMap<usize, u64>,
    total: u64,
    pub(super) ambiguity: Ambiguity,
}

impl BuffersByPage {
    /// Notes a new buffer of one page.
    pub(super) fn add(&mut self, page: usize) {
        *self.buffers.entry(page).or_default() += 1;
        self.total += 1;
    }

    /// Notes the release of a buffer.
    pub(super) fn remove(&mut self, page: usize) {
        let on_page = self.buffers.entry(page).or_default();
        *on_page -= 1;
        self.total -= 1;
        self.ambiguity.by_page += u64::from(*on_page > 0);
        self.ambiguity.by_folio += u64::from(self.total > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_ambiguous_while_another_buffer_is_there() {
        let mut buffers = BuffersByPage::default();
        for page in [0, 0, 1] {
            buffers.add(page);
        }
        let mut after = |page| {
            buffers.remove(page);
            (buffers.ambiguity.by_page, buffers.ambiguity.by_folio)
        };
        assert_eq!([after(0), after(1), after(0)], [(1, 1), (1, 2), (1, 2)]);
    }
}
