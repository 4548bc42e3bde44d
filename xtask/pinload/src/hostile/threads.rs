//! Short threads with one read by direct I/O each.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::thread;

use super::{Bound, pages};
use crate::failure::{Explain, Failure, Result};
use crate::memory::PAGE;
use crate::workload::open_direct;

/// Threads at one time.
const AT_ONCE: usize = 8;

/// Starts threads, a few at one time. Returns their number.
pub(super) fn run(bound: Bound, path: &Path) -> Result<u64> {
    let file = open_direct(path, 0, PAGE, false, false)?;
    let buffer = pages(AT_ONCE as u64)?;
    let mut done = 0;
    while bound.allows(done) {
        let read = thread::scope(|scope| {
            let threads = (0..AT_ONCE).map(|index| {
                let (file, address) = (&file, buffer.address() + index * PAGE);
                thread::Builder::new().spawn_scoped(scope, move || read(file, address))
            });
            let threads: Vec<_> = threads.collect();
            threads
                .into_iter()
                .map(|thread| thread?.join().unwrap_or(Ok(0)))
                .collect::<std::io::Result<Vec<usize>>>()
        });
        let read = read.failing(
            "cannot read in a thread",
            "raise ulimit -u, or name a file on ext4 with --file",
        )?;
        if read.iter().any(|&bytes| bytes != PAGE) {
            return Err(Failure::failed(
                "a read was short",
                "name a file of 4096 bytes or more with --file",
            ));
        }
        done += AT_ONCE as u64;
    }
    Ok(done)
}

fn read(file: &File, address: usize) -> std::io::Result<usize> {
    let pointer: *mut u8 = std::ptr::with_exposed_provenance_mut(address);
    // SAFETY: the page lies inside the buffer, which outlives the thread, and no other thread uses this page.
    file.read_at(unsafe { std::slice::from_raw_parts_mut(pointer, PAGE) }, 0)
}
