//! The time that an operation hardly ever exceeds.

use std::time::Instant;

/// Measures an operation many times, and prints the 99th percentile as a stage of one operation. The first operation fills
/// caches and does not count.
pub(crate) fn percentile(
    name: &str,
    times: usize,
    mut run: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    run()?;
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times {
        let began = Instant::now();
        run()?;
        taken.push(began.elapsed());
    }
    taken.sort_unstable();
    let index = (times * 99).div_ceil(100).saturating_sub(1);
    let found = taken.get(index).copied().unwrap_or_default();
    println!("stage\t{name}\t1\t{}\t0", found.as_nanos());
    Ok(())
}
