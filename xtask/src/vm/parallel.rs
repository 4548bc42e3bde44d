//! Runs the same work on several kernels, in up to three guests at a time; fewer if memory is short.

use std::sync::Mutex;
use std::thread;

/// Maximum memory of a guest: 2 GiB of memory, the initramfs, the emulator.
const GUEST_KIB: u64 = 3 << 20;
/// A guest of two CPUs in one emulator thread uses three quarters of a core; with four guests, tests with
/// time limits fail.
const MAX_GUESTS: usize = 3;

/// Runs the work on each kernel and returns the results in the kernels' order.
pub(crate) fn each<K: Copy + Send + Sync, T: Send>(
    kernels: &[K],
    work: impl Fn(K) -> T + Sync,
) -> Vec<(K, T)> {
    let results = Mutex::new(Vec::new());
    let queue = Mutex::new(kernels.iter().enumerate());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    thread::scope(|scope| {
        for _ in 0..guests_at_a_time().min(kernels.len()) {
            scope.spawn(|| {
                while let Some((index, kernel)) = next() {
                    let result = work(*kernel);
                    if let Ok(mut results) = results.lock() {
                        results.push((index, *kernel, result));
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_default();
    results.sort_by_key(|(index, ..)| *index);
    results
        .into_iter()
        .map(|(_, kernel, result)| (kernel, result))
        .collect()
}

fn guests_at_a_time() -> usize {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let available: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    usize::try_from(available / GUEST_KIB)
        .unwrap_or(MAX_GUESTS)
        .clamp(1, MAX_GUESTS)
}

#[cfg(test)]
mod tests {
    use super::super::series::{KNOWN_SERIES, SeriesChoice};
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_kernels() {
        let kernels = KNOWN_SERIES.map(SeriesChoice::Series);
        let results = each(&kernels, |kernel| kernel.to_string());
        assert_eq!(results.len(), kernels.len());
        for ((kernel, result), wanted) in results.iter().zip(kernels) {
            assert_eq!((*kernel, result), (wanted, &wanted.to_string()));
        }
    }
}
