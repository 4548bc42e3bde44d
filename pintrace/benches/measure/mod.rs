//! Measures the time of an operation, the bytes that the operation allocates, and the memory of a value. Prints the figures
//! for `cargo xtask bench`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Number of runs of each measurement. The result is the fastest run, because other work on the machine only slows runs
/// down.
const RUNS: usize = 15;
/// Entries of the map of the reference.
const REFERENCE_ENTRIES: u64 = 100_000;
/// Operations of one run of the reference.
const REFERENCE_OPERATIONS: u64 = 100_000;

/// The allocator of the system, which also counts the allocated and the freed bytes.
struct CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

static ALLOCATED_BYTES: AtomicU64 = AtomicU64::new(0);
static FREED_BYTES: AtomicU64 = AtomicU64::new(0);

fn count(bytes: usize) {
    ALLOCATED_BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
}

fn count_freed(bytes: usize) {
    FREED_BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
}

// SAFETY: each method passes its arguments to the allocator of the system, and returns its result.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count_freed(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Memory that moves is allocated anew.
        count(size.saturating_sub(layout.size()));
        count_freed(layout.size().saturating_sub(size));
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Prints the time of the reference: one insertion into and one removal from a map of 100,000 numbers.
pub(crate) fn reference() -> anyhow::Result<()> {
    let mut map: BTreeMap<u64, u64> = (0..REFERENCE_ENTRIES).map(|key| (scattered(key), key)).collect();
    let mut next = REFERENCE_ENTRIES;
    stage(
        "reference",
        REFERENCE_OPERATIONS,
        || Ok(()),
        |()| {
            for _ in 0..REFERENCE_OPERATIONS {
                map.insert(scattered(next), next);
                black_box(map.remove(&scattered(next - REFERENCE_ENTRIES)));
                next += 1;
            }
            Ok(())
        },
    )
}

/// Returns a number whose order has nothing to do with the order of `key`.
const fn scattered(key: u64) -> u64 {
    key.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Measures a stage, and prints: `stage`, name, operations, ns, allocated bytes. `prepare` runs before each run, outside
/// the measured time. The memory of its result is freed outside the measured time too.
pub(crate) fn stage<T>(
    name: &str,
    operations: u64,
    mut prepare: impl FnMut() -> anyhow::Result<T>,
    mut run: impl FnMut(&mut T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut fastest = Duration::MAX;
    let mut bytes = u64::MAX;
    for _ in 0..RUNS {
        let mut prepared = prepare()?;
        let allocated = ALLOCATED_BYTES.load(Ordering::Relaxed);
        let began = Instant::now();
        run(&mut prepared)?;
        fastest = fastest.min(began.elapsed());
        // The first run may also fill caches.
        bytes = bytes.min(ALLOCATED_BYTES.load(Ordering::Relaxed) - allocated);
        drop(black_box(prepared));
    }
    println!("stage\t{name}\t{operations}\t{}\t{bytes}", fastest.as_nanos());
    Ok(())
}

/// Measures the memory that the heap of a value takes, and prints: `memory`, name, bytes. `build` makes the value.
pub(crate) fn memory<T>(name: &str, build: impl FnOnce() -> T) -> T {
    let used = || ALLOCATED_BYTES.load(Ordering::Relaxed) - FREED_BYTES.load(Ordering::Relaxed);
    let before = used();
    let value = build();
    println!("memory\t{name}\t{}", used() - before);
    value
}
