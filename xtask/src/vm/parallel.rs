//! The same on several kernels: three guests at a time where memory allows it, else fewer.

use std::sync::Mutex;
use std::thread;

/// What a guest takes of this machine's memory at most: its own 2 GiB, its initramfs, the emulator.
const GUEST_KIB: u64 = 3 << 20;
/// A guest of two CPUs in one emulator thread keeps three quarters of a core busy; with four, what the tests expect of time fails.
const AT_A_TIME: usize = 3;

/// Does it on each kernel and gives the results in the kernels' order.
pub(crate) fn each<K: Copy + Send + Sync, T: Send>(
    kernels: &[K],
    work: impl Fn(K) -> T + Sync,
) -> Vec<(K, T)> {
    let results = Mutex::new(Vec::new());
    let queue = Mutex::new(kernels.iter().enumerate());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    thread::scope(|scope| {
        for _ in 0..at_a_time().min(kernels.len()) {
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

fn at_a_time() -> usize {
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let available: u64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    usize::try_from(available / GUEST_KIB)
        .unwrap_or(AT_A_TIME)
        .clamp(1, AT_A_TIME)
}

#[cfg(test)]
mod tests {
    use super::super::series::{ON_OFFER, SeriesChoice};
    use super::*;

    #[test]
    fn each_kernel_has_its_own_result_in_its_own_place() {
        let kernels = ON_OFFER.map(SeriesChoice::KernelSeries);
        let results = each(&kernels, |kernel| kernel.to_string());
        assert_eq!(results.len(), kernels.len());
        for ((kernel, result), wanted) in results.iter().zip(kernels) {
            assert_eq!((*kernel, result), (wanted, &wanted.to_string()));
        }
    }
}
