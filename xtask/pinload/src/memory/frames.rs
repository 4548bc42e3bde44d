//! The page frame of each page, which root reads from /proc/self/pagemap.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{Buffer, PAGE};

const PRESENT: u64 = 1 << 63;
const SOFT_DIRTY: u64 = 1 << 55;
const FRAME: u64 = (1 << 55) - 1;

/// The pagemap entries of a range, one for each page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageFrames(Vec<u64>);

impl PageFrames {
    /// Reads the entries. Returns `None` if the kernel hides the frames from this process by showing 0.
    fn read(address: usize, bytes: usize) -> Option<Self> {
        let pagemap = File::open("/proc/self/pagemap").ok()?;
        let mut raw = vec![0; bytes / PAGE * 8];
        pagemap
            .read_exact_at(&mut raw, (address / PAGE * 8) as u64)
            .ok()?;
        let entries = raw
            .chunks_exact(8)
            .map(|entry| u64::from_ne_bytes(entry.try_into().unwrap_or_default()));
        Self::of(entries.collect())
    }

    fn of(entries: Vec<u64>) -> Option<Self> {
        let hidden = |entry: &u64| entry & PRESENT != 0 && entry & FRAME == 0;
        (!entries.iter().any(hidden)).then_some(Self(entries))
    }

    /// Returns the frame of each page; `None` if the page is not mapped.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = Option<u64>> {
        let number = |entry: &u64| (entry & PRESENT != 0).then_some(entry & FRAME);
        self.0.iter().map(number)
    }

    /// Returns the pages whose frame differs in `later`, and the pages mapped in only one of the two lists.
    pub(crate) fn changed(&self, later: &Self) -> Vec<usize> {
        let pairs = self.numbers().zip(later.numbers()).enumerate();
        pairs.filter(|(_, (a, b))| a != b).map(|(page, _)| page).collect()
    }

    /// Returns the pages mapped to different frames in the two lists.
    pub(crate) fn moved(&self, later: &Self) -> Vec<usize> {
        let pairs = self.numbers().zip(later.numbers()).enumerate();
        pairs
            .filter(|(_, (a, b))| a.is_some() && b.is_some() && a != b)
            .map(|(page, _)| page)
            .collect()
    }

    /// Returns the number of soft-dirty pages (written since the last write to `clear_refs`); 0 if the kernel does not
    /// track soft-dirty pages.
    pub(crate) fn dirty(&self) -> usize {
        self.0.iter().filter(|&entry| entry & SOFT_DIRTY != 0).count()
    }
}

impl Buffer {
    /// Returns the frame of each page, if the kernel shows frames (root).
    pub(crate) fn frames(&self) -> Option<PageFrames> {
        PageFrames::read(self.address, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(entries: &[u64]) -> PageFrames {
        PageFrames::of(entries.to_vec()).unwrap()
    }

    #[test]
    fn a_page_that_appears_has_changed_but_not_moved() {
        let before = frames(&[PRESENT | 7, PRESENT | 8, 0]);
        let after = frames(&[PRESENT | 7, PRESENT | 9, PRESENT | 1]);
        assert_eq!(before.changed(&after), [1, 2]);
        assert_eq!(before.moved(&after), [1]);
    }

    #[test]
    fn other_flags_than_the_frame_are_ignored() {
        let before = frames(&[PRESENT | 7]);
        let after = frames(&[PRESENT | SOFT_DIRTY | 7]);
        assert!(before.changed(&after).is_empty());
        assert_eq!((before.dirty(), after.dirty()), (0, 1));
    }

    #[test]
    fn hidden_frames_are_none() {
        assert_eq!(PageFrames::of(vec![PRESENT, PRESENT | 3]), None);
    }
}
