//! The maps of the scan. One scan runs at a time: each process that scans loads the object for itself.

use aya_ebpf::{macros::map, maps::Array};
use pintrace_common::scan::{
    BLOCKS, Block, CHUNK_PAGES, FileFilter, PAGE_STRUCT, ProbeRead, ReadBlock, ScanState,
};

/// Progress of the scan.
#[map]
static SCAN_STATE: Array<ScanState> = Array::with_max_entries(1, 0);

/// Pinned folios of the present run.
#[map]
pub static SCAN_FOUND: Array<Block> = Array::with_max_entries(BLOCKS, 0);

/// Result of the last `probe_read`.
#[map]
pub static PROBE_READ: Array<ProbeRead> = Array::with_max_entries(1, 0);

/// Result of the last `read_block`.
#[map]
pub static READ_BLOCK: Array<ReadBlock> = Array::with_max_entries(1, 0);

/// The files that the file iterators select.
#[map]
pub static FILE_FILTER: Array<FileFilter> = Array::with_max_entries(1, 0);

/// Copy of the chunk of struct pages that the scan reads.
#[map]
static SCAN_CHUNK: Array<[u64; CHUNK_WORDS]> = Array::with_max_entries(1, 0);

/// Number of u64 words of a chunk.
const CHUNK_WORDS: usize = CHUNK_BYTES / 8;
/// Number of bytes of a chunk.
pub const CHUNK_BYTES: usize = CHUNK_PAGES as usize * PAGE_STRUCT;

/// Returns the state. No other run uses the state at the same time.
#[inline(always)]
pub fn state() -> Option<&'static mut ScanState> {
    // SAFETY: a live map value. Runs of the programs follow one another.
    SCAN_STATE.get_ptr_mut(0).map(|state| unsafe { &mut *state })
}

/// Begins a run over frames. Returns false if there is no state.
#[inline(always)]
pub fn begin(from: u64, to: u64, vmemmap: u64) -> bool {
    let Some(state) = state() else {
        return false;
    };
    state.next = from;
    state.end = to;
    state.vmemmap = vmemmap;
    state.found = 0;
    state.read = 0;
    state.stepped = 0;
    state.free = 0;
    state.absent = 0;
    state.section = u64::MAX;
    true
}

/// Returns the bytes of the chunk.
#[inline(always)]
pub fn chunk() -> Option<*mut u8> {
    SCAN_CHUNK.get_ptr_mut(0).map(<*mut _>::cast)
}
