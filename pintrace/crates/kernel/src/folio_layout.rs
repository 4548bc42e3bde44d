//! Reads from BTF the members that explain one folio: its map counts, and the inode of its file. All offsets are in
//! bytes. Only `pintrace scan --pfn` and its like read these members, so no capture contains them.

use pintrace_common::scan::PAGE_STRUCT;

use crate::btf::Types;

/// Bytes of a struct page.
#[expect(clippy::cast_possible_truncation, reason = "a small constant")]
const PAGE: u32 = PAGE_STRUCT as u32;

/// The members of a folio and of its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolioLayout {
    /// The map counts of a large folio; `None` if BTF lacks them.
    pub large_maps: Option<LargeMaps>,
    /// `address_space.host`, `inode.i_ino`, `inode.i_sb` and `super_block.s_dev`; `None` if BTF lacks one of them.
    pub inode: Option<InodePath>,
    /// Bit number of `PG_anon_exclusive`; `None` before 5.19. Another flag of pages of files has the same number.
    pub pg_anon_exclusive: Option<u32>,
}

/// The members that count how often a large folio is mapped. Each counter begins at -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargeMaps {
    /// `folio._large_mapcount`: all mappings (6.10 and later).
    Sum(u32),
    /// The mappings of the whole folio. The mappings of single pages are in `page._mapcount` of each page.
    Parts {
        /// `folio._entire_mapcount`, or `page.compound_mapcount` of the second page (before 6.2), from the head page.
        entire: u32,
        /// `page._mapcount` of each page of a file counts the mappings of the whole folio as well (before 6.2).
        file_pages_count_all: bool,
        /// Bit number of `PG_double_map`: if the bit is set in the second page, `page._mapcount` of each anonymous page
        /// is one too high (before 6.2).
        double_map: Option<u32>,
    },
}

/// The way from an `address_space` to the number of the inode and to the number of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InodePath {
    /// `address_space.host`.
    pub host: u32,
    /// `inode.i_ino`.
    pub number: u32,
    /// `inode.i_sb`.
    pub super_block: u32,
    /// `super_block.s_dev`, a u32: `major << 20 | minor` (`MKDEV`, include/linux/kdev_t.h).
    pub device: u32,
}

impl FolioLayout {
    /// Reads the members.
    pub fn of(types: &impl Types) -> Self {
        let offset = |container: &str, name: &str| types.offset(container, &[name]);
        let inode = || {
            Some(InodePath {
                host: offset("address_space", "host")?,
                number: offset("inode", "i_ino")?,
                super_block: offset("inode", "i_sb")?,
                device: offset("super_block", "s_dev")?,
            })
        };
        Self {
            large_maps: LargeMaps::of(types),
            inode: inode(),
            pg_anon_exclusive: types
                .enumerators(&["PG_anon_exclusive"])
                .get("PG_anon_exclusive")
                .copied(),
        }
    }
}

impl LargeMaps {
    fn of(types: &impl Types) -> Option<Self> {
        let offset = |container: &str, name: &str| types.offset(container, &[name]);
        if let Some(sum) = offset("folio", "_large_mapcount") {
            return Some(Self::Sum(sum));
        }
        match offset("page", "compound_mapcount") {
            Some(compound) => Some(Self::Parts {
                entire: PAGE + compound,
                file_pages_count_all: true,
                double_map: types
                    .enumerators(&["PG_double_map"])
                    .get("PG_double_map")
                    .copied(),
            }),
            None => Some(Self::Parts {
                entire: offset("folio", "_entire_mapcount")?,
                file_pages_count_all: false,
                double_map: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btf::{KERNEL_BTF, KernelTypes};

    /// Skipped if the running kernel has no BTF.
    #[test]
    fn the_layout_of_the_running_kernel_is_known() {
        let path = std::path::Path::new(KERNEL_BTF);
        if !path.exists() {
            eprintln!("skipped: this kernel has no BTF");
            return;
        }
        let layout = FolioLayout::of(&KernelTypes::read(path).unwrap());
        assert!(
            layout.large_maps.is_some() && layout.inode.is_some(),
            "{layout:?}"
        );
    }
}
