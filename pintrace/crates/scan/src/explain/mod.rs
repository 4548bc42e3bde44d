//! Explains one page, a range of frames or one descriptor: what the struct pages, the kernel's tables and the page tables say of it.
//!
//! The pins and their holders come from a scan. The struct pages of the one folio are read after the scan.

mod descriptor;
mod flags;
pub(crate) mod folio;
mod frames;
mod mappers;
mod page;
mod references;

pub use descriptor::{DescriptorError, DescriptorExplained, TableExplained};
pub use folio::FolioPlace;
pub use frames::{PinnedFrames, RangeExplained};
pub use mappers::Mapper;
pub use page::{FileIdentity, Migration, PageError, PageExplained, PinsOnPage};
pub use references::References;

use pintrace_kernel::btf::Types;
use pintrace_kernel::folio_layout::FolioLayout;

use crate::scanner::Scanner;

/// Explains pages and descriptors with the programs of a scanner.
pub struct Explainer<'s> {
    scanner: &'s mut Scanner,
    layout: FolioLayout,
}

impl<'s> Explainer<'s> {
    /// Reads the further offsets that an explanation needs.
    pub fn new(scanner: &'s mut Scanner, types: &impl Types) -> Self {
        Self {
            scanner,
            layout: FolioLayout::of(types),
        }
    }
}
