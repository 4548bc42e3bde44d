//! The frames of a table, as runs of consecutive frames.

use pintrace_common::scan::PAGE_STRUCT;

/// Consecutive frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRun {
    /// The first frame.
    pub pfn: u64,
    /// Number of frames.
    pub frames: u64,
}

/// Frames in the order of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    runs: Vec<FrameRun>,
}

impl Frames {
    /// Returns the frames of struct pages. Null pointers and addresses of no struct page are left out.
    pub fn of_pages(vmemmap: u64, pages: impl IntoIterator<Item = u64>) -> Self {
        let mut frames = Self::default();
        for page in pages {
            frames.push(vmemmap, page);
        }
        frames
    }

    /// Adds the frame of a struct page.
    fn push(&mut self, vmemmap: u64, page: u64) {
        let size = PAGE_STRUCT as u64;
        let Some(offset) = page
            .checked_sub(vmemmap)
            .filter(|offset| page != 0 && offset % size == 0)
        else {
            return;
        };
        let pfn = offset / size;
        match self.runs.last_mut() {
            Some(last) if last.pfn + last.frames == pfn => last.frames += 1,
            _ => self.runs.push(FrameRun { pfn, frames: 1 }),
        }
    }

    /// Returns the runs.
    pub fn runs(&self) -> &[FrameRun] {
        &self.runs
    }

    /// Returns true if there is no frame.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Returns the number of frames.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|run| run.frames).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_struct_pages_are_one_run() {
        let frames = Frames::of_pages(0x1000, [0x1000 + 64 * 5, 0x1000 + 64 * 6, 0, 0x1000 + 64 * 2]);
        let expected = [FrameRun { pfn: 5, frames: 2 }, FrameRun { pfn: 2, frames: 1 }];
        assert_eq!((frames.runs(), frames.len()), (&expected[..], 3));
    }

    #[test]
    fn addresses_of_no_struct_page_are_left_out() {
        let frames = Frames::of_pages(0x1000, [0x0, 0xfff, 0x1001, 0x1020]);
        assert!(frames.is_empty());
    }
}
