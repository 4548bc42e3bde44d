//! The maps of the scan. One scan runs at a time: each process that scans loads the object for itself.

use aya_ebpf::{macros::map, maps::Array};
use pintrace_common::scan::{BLOCKS, Block, CHUNK_PAGES, PAGE_STRUCT, ProbeRead, ScanState};

/// How far the scan is.
#[map]
static SCAN_STATE: Array<ScanState> = Array::with_max_entries(1, 0);

/// What it found.
#[map]
pub static SCAN_FOUND: Array<Block> = Array::with_max_entries(BLOCKS, 0);

/// The last look at kernel memory.
#[map]
pub static PROBE_READ: Array<ProbeRead> = Array::with_max_entries(1, 0);

/// A chunk of struct pages under the eye.
#[map]
static SCAN_CHUNK: Array<[u64; CHUNK_WORDS]> = Array::with_max_entries(1, 0);

/// u64 words of a chunk.
const CHUNK_WORDS: usize = CHUNK_BYTES / 8;
/// Bytes of a chunk.
pub const CHUNK_BYTES: usize = CHUNK_PAGES as usize * PAGE_STRUCT;

/// The state, which nobody else uses at this time.
#[inline(always)]
pub fn state() -> Option<&'static mut ScanState> {
    // SAFETY: a live map value; runs of the programs follow one another.
    SCAN_STATE.get_ptr_mut(0).map(|state| unsafe { &mut *state })
}

/// Begins a run over frames; false if that cannot be.
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

/// The chunk's bytes.
#[inline(always)]
pub fn chunk() -> Option<*mut u8> {
    SCAN_CHUNK.get_ptr_mut(0).map(<*mut _>::cast)
}
