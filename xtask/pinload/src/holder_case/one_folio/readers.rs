//! Threads that read a file by direct I/O into the huge page, while its owners change.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;

use serde::Serialize;

use crate::failure::{Explain, Failure, Result};
use crate::kernel::KernelRelease;
use crate::memory::{HUGE, PAGE};
use crate::report;
use crate::workload::open_direct;

const BUG: &str = "report this as a bug of pinload";
/// Reads of each thread in a step.
const READS: usize = 20;

/// The reads of one thread.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Reader {
    tid: i32,
    /// Pages pinned, one for each read; absent if the behaviour of this kernel was not measured.
    pages: Option<u64>,
}

/// A file opened with O_DIRECT.
pub(super) struct Readers {
    file: File,
    pins: Option<bool>,
}

impl Readers {
    /// Opens the file, or makes a file that is removed at once.
    pub(super) fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            file: open_direct(path, 0, HUGE, false, false)?,
            pins: KernelRelease::running()?.direct_io_pins(),
        })
    }

    /// Does `work` while `count` threads read into the huge page at `folio`. Returns the reads, all of which have ended.
    pub(super) fn during(
        &self,
        count: usize,
        folio: usize,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<Vec<Reader>> {
        thread::scope(|scope| {
            let readers: Vec<_> = (0..count)
                .map(|index| scope.spawn(move || self.read(folio, index)))
                .collect();
            let worked = work();
            let read = readers.into_iter().map(|reader| {
                let panicked = |_| Err(Failure::failed("a reading thread panicked", BUG));
                reader.join().unwrap_or_else(panicked)
            });
            let read = read.collect::<Result<Vec<_>>>()?;
            worked.map(|()| read)
        })
    }

    /// Reads page after page of the file, into pages of the huge page.
    fn read(&self, folio: usize, index: usize) -> Result<Reader> {
        for number in 0..READS {
            // The threads read into different pages.
            let offset = (index * READS + number) * PAGE;
            let pointer: *mut u8 = std::ptr::with_exposed_provenance_mut(folio + offset);
            // SAFETY: the page lies inside the huge page, which is mapped, and no other code uses its contents.
            let target = unsafe { std::slice::from_raw_parts_mut(pointer, PAGE) };
            let read = self.file.read_at(target, offset as u64);
            let read = read.failing(
                "cannot read by direct I/O",
                "name a file on ext4 or xfs with --file",
            )?;
            if read != PAGE {
                return Err(Failure::failed(
                    format!("direct I/O read {read} bytes"),
                    "name a file of at least 2 MiB, or a file that does not exist, with --file",
                ));
            }
        }
        Ok(Reader {
            tid: report::caller().1,
            pages: self.pins.map(|pins| if pins { READS as u64 } else { 0 }),
        })
    }
}
