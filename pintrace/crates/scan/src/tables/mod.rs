//! The kernel's tables of pinned pages: for each open file, the pages that the file holds.
//!
//! The tables are read without locks, so a table is only a claim. [`crate::claims`] believes a claim where the same scan
//! found the claimed pins on the struct pages.

mod frames;
mod io_uring;
mod udmabuf;
mod umem;
mod xarray;

use pintrace_kernel::scan_layout::Layout;

use crate::kernel_memory::KernelMemory;
use crate::open_files::{FileKind, OpenFile};
pub use frames::{FrameRun, Frames};

/// The pages that one kernel object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinTable {
    /// What the pages are for, such as `registered buffer`.
    pub purpose: &'static str,
    /// Address of the kernel object. Two files with the same object share its pins.
    pub object: u64,
    /// The user addresses that were pinned, if the object keeps them.
    pub addresses: Option<std::ops::Range<u64>>,
    /// The pinned frames, each with one pin for each occurrence.
    pub frames: Frames,
}

/// A reader of tables. `budget` bounds the number of words that all tables of one scan may take.
pub struct TableReader<'m> {
    /// The memory of the kernel.
    pub memory: &'m dyn KernelMemory,
    /// Offsets of the members.
    pub layout: &'m Layout,
    /// Address of the struct page of frame 0.
    pub vmemmap: u64,
    /// Number of words that may still be read.
    pub budget: u64,
    /// Address of the function `release_udmabuf`; `None` if unknown.
    pub release_udmabuf: Option<u64>,
}

/// The reason why the pages of a file are unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTable;

impl TableReader<'_> {
    /// Returns the tables of an open file.
    pub fn read(&mut self, file: &OpenFile) -> Result<Vec<PinTable>, UnknownTable> {
        let private = u64::from(self.layout.facts.file_private);
        let object = self.memory.pointer(file.file.wrapping_add(private));
        let Some(object) = object else {
            return Ok(Vec::new());
        };
        match file.kind {
            FileKind::IoUring => io_uring::tables(self, object),
            FileKind::AfXdp => umem::tables(self, object),
            FileKind::DmaBuf => udmabuf::tables(self, object),
        }
    }

    /// Reads an array. `None` if the array is longer than the budget allows or cannot be read.
    fn array(&mut self, address: u64, words: u64) -> Option<Vec<u64>> {
        self.budget = self.budget.checked_sub(words)?;
        self.memory.words(address, usize::try_from(words).ok()?)
    }

    /// Reads an array of pointers to struct page or struct folio.
    fn pages(&mut self, address: u64, count: u64) -> Option<Frames> {
        let words = self.array(address, count)?;
        Some(Frames::of_pages(self.vmemmap, words))
    }
}

#[cfg(test)]
pub(crate) mod tests;
