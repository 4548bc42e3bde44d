//! The page tables of many processes, each read once, and what could not be read of them.

use std::collections::BTreeSet;
use std::path::Path;

use super::join::Join;
use super::scan_result::Unreadable;
use pintrace_kernel::pagemap::{self, Unread};

/// A survey under way.
#[derive(Clone, Debug, Default)]
pub struct PageTables {
    /// Processes whose page tables were read.
    pub read: u64,
    /// What was not seen.
    pub unreadable: Unreadable,
    done: BTreeSet<u32>,
}

impl PageTables {
    /// Nobody has been read; `own` never is.
    pub fn without(own: u32) -> Self {
        Self {
            done: BTreeSet::from([own]),
            ..Self::default()
        }
    }

    /// Reads those that have not been read yet.
    pub fn read(&mut self, proc: &Path, pids: impl IntoIterator<Item = u32>, join: &mut Join<'_>) {
        for pid in pids {
            if !self.done.insert(pid) {
                continue;
            }
            join.process(pid);
            match pagemap::walk(proc, pid, &mut |address, pfn| join.page(address, pfn)) {
                Ok(walked) => {
                    self.read += 1;
                    self.unreadable.address_pages += walked.skipped;
                }
                Err(Unread::Gone) => self.unreadable.ended += 1,
                Err(Unread::Refused) => self.unreadable.refused += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::FileExt as _;

    use pintrace_common::scan::{MAPPING_ANON, PinnedFolio};

    use super::super::pinned_folios::Folios;
    use super::*;

    /// A tree with a process that maps frame 9, one whose files are no files, one with an address space beyond all
    /// bounds and a name that is no text, and none of the others.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for pid in ["1", "3", "4"] {
            fs::create_dir(root.path().join(pid)).unwrap();
        }
        let entry = (1u64 << 63 | 9).to_ne_bytes();
        for (pid, maps) in [
            ("1", &b"1000-2000 rw-p 0 0:0 0\n"[..]),
            ("4", b"1000-7ffffffff000 rw-p 0 0:0 0 \xff\xfe\n\xff\xff-\n"),
        ] {
            fs::write(root.path().join(pid).join("maps"), maps).unwrap();
            let pagemap = File::create(root.path().join(pid).join("pagemap")).unwrap();
            pagemap.write_all_at(&entry, 8).unwrap();
        }
        fs::create_dir(root.path().join("3/maps")).unwrap();
        root
    }

    #[test]
    fn processes_that_are_gone_or_refuse_are_counted_and_the_others_are_read() {
        let root = tree();
        let mut folios = Folios::default();
        let found = PinnedFolio {
            pfn: 9,
            pins: 1,
            refcount: 1025,
            mapcount: 1,
            mapping: MAPPING_ANON,
            ..PinnedFolio::default()
        };
        folios.add(&found, |_| false);
        let mut join = Join::new(&folios);
        let mut page_tables = PageTables::without(7);
        page_tables.read(root.path(), [1, 2, 3, 4, 7, 1], &mut join);
        assert_eq!(page_tables.read, 2);
        let Unreadable {
            ended,
            refused,
            address_pages,
            descriptors,
        } = page_tables.unreadable;
        assert_eq!((ended, refused, descriptors), (1, 1, 0));
        assert_eq!(address_pages, 0x7_ffff_fffe);
        let shares = join.finish().shares;
        assert_eq!((shares.len(), shares[0].pid, shares[0].all.pages), (1, 1, 1));
    }
}
