//! Reads the page tables of processes, of each process once, and counts the page tables that cannot be read.

use std::path::Path;

use super::join::Join;
use super::scan_result::Unreadable;
use super::tasks::ProcessTask;
use pintrace_kernel::pagemap::{self, Unread};

/// The processes whose page tables were read so far.
#[derive(Clone, Debug, Default)]
pub struct PageTables {
    /// Number of processes whose page tables were read.
    pub read: u64,
    /// Processes and address ranges that could not be read.
    pub unreadable: Unreadable,
    /// Pid of the process that is never read.
    excluded: u32,
}

impl PageTables {
    /// Creates an empty record. The page tables of process `pid` are never read.
    pub fn excluding(pid: u32) -> Self {
        Self {
            excluded: pid,
            ..Self::default()
        }
    }

    /// Adds to `join` the pages of each process.
    pub fn read(&mut self, proc: &Path, processes: &[ProcessTask], join: &mut Join<'_>) {
        for process in processes.iter().filter(|process| process.pid != self.excluded) {
            join.begin_process(process.pid);
            match pagemap::walk(&process.folder(proc), &mut |address, pfn| {
                join.add_page(address, pfn);
            }) {
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

    /// Creates a /proc with three processes. Process 1 maps frame 9. The `maps` of process 3 is a directory, which
    /// cannot be read as a file. Process 4 has a larger address space than is read, and a file name that is not UTF-8.
    fn proc() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for pid in ["1", "3", "4"] {
            fs::create_dir_all(root.path().join(pid).join("task").join(pid)).unwrap();
        }
        let entry = (1u64 << 63 | 9).to_ne_bytes();
        for (pid, maps) in [
            ("1", &b"1000-2000 rw-p 0 0:0 0\n"[..]),
            ("4", b"1000-7ffffffff000 rw-p 0 0:0 0 \xff\xfe\n\xff\xff-\n"),
        ] {
            let folder = root.path().join(pid).join("task").join(pid);
            fs::write(folder.join("maps"), maps).unwrap();
            let pagemap = File::create(folder.join("pagemap")).unwrap();
            pagemap.write_all_at(&entry, 8).unwrap();
        }
        fs::create_dir(root.path().join("3/task/3/maps")).unwrap();
        root
    }

    #[test]
    fn ended_and_refused_processes_are_counted() {
        let root = proc();
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
        let mut page_tables = PageTables::excluding(7);
        let processes = [1, 2, 3, 4, 7].map(|pid| ProcessTask { pid, tid: pid });
        page_tables.read(root.path(), &processes, &mut join);
        assert_eq!(page_tables.read, 2);
        let Unreadable {
            ended,
            refused,
            address_pages,
            descriptors,
            tables,
        } = page_tables.unreadable;
        assert_eq!((ended, refused, descriptors, tables), (1, 1, 0, 0));
        assert_eq!(address_pages, 0x7_ffff_fffe);
        let processes = join.finish().processes;
        assert_eq!(
            (processes.len(), processes[0].pid, processes[0].alone.pages),
            (1, 1, 1)
        );
    }
}
