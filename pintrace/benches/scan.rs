//! `cargo xtask bench scan`: measures the time of one scan of all struct pages on this machine, with full memory and
//! with nine tenths of memory free. The floor is the time of a plain loop over as many bytes in user space.
//!
//! Compare only figures of one run: machines differ, and the speed of one machine changes over time.

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use pintrace::pipeline::loader_btf;
use pintrace_kernel::btf::KernelTypes;
use pintrace_kernel::facts::Roots;
use pintrace_scan::scan_result::MemoryRead;
use pintrace_scan::scanner::Scanner;

/// Number of runs of each measurement. The result is the least time, because other work on the machine only adds time.
const RUNS: usize = 9;
/// Bytes left free on a full machine, for other programs.
const SPARE: u64 = 1 << 30;

fn main() -> anyhow::Result<()> {
    let roots = Roots::default();
    let types = KernelTypes::read(&roots.btf)?;
    let mut scanner = Scanner::start(&types, &loader_btf::of(&types), &roots)?;

    // Pages of the page cache do not count as free.
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").context("this needs root")?;
    let filling = fill(meminfo("MemAvailable:")?.saturating_sub(SPARE))?;
    let full = best(&mut scanner)?;
    let floor = floor(full.read * 64);
    // `total` includes memory that the kernel reserves, such as the struct pages.
    let total = full.ram_pages << 12;
    let used = total - meminfo("MemAvailable:")? - filling.metadata()?.len();
    filling.set_len((total / 10).saturating_sub(used))?;
    // The rest of the filling is scattered over memory. Compaction makes memory look like that of a machine that was
    // never full.
    let _ = std::fs::write("/proc/sys/vm/compact_memory", "1");
    let empty = best(&mut scanner)?;
    drop(filling);

    println!(
        "{:<18}{:>12}{:>14}{:>10}{:>12}",
        "machine", "free", "pages read", "ms", "ns a page"
    );
    for (name, memory) in [("full", &full), ("nine tenths free", &empty)] {
        let free = memory.free * 100 / memory.ram_pages;
        println!(
            "{name:<18}{free:>11}%{:>14}{:>10.1}{:>12.2}",
            memory.read,
            millis(memory.read_ns),
            millis(memory.read_ns) * 1e6 / f64::from(u32::try_from(memory.ram_pages)?),
        );
    }
    println!(
        "floor: {} MiB read by a plain loop in {:.1} ms",
        (full.read * 64) >> 20,
        millis(floor)
    );
    println!(
        "full against the floor: {:.2} times",
        millis(full.read_ns) / millis(floor)
    );
    println!(
        "full against nine tenths free: {:.1} times",
        millis(full.read_ns) / millis(empty.read_ns)
    );
    Ok(())
}

/// Returns the fastest of [`RUNS`] scans.
fn best(scanner: &mut Scanner) -> anyhow::Result<MemoryRead> {
    let mut best: Option<MemoryRead> = None;
    for _ in 0..RUNS {
        let (_, memory) = scanner.folios(&mut |_, _| {})?;
        if best.is_none_or(|best| memory.read_ns < best.read_ns) {
            best = Some(memory);
        }
    }
    best.context("no run")
}

/// Returns a value of /proc/meminfo in bytes.
fn meminfo(name: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib: u64 = line
        .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .with_context(|| format!("no {name} in /proc/meminfo"))?;
    Ok(kib << 10)
}

/// Creates a memfd of `bytes` bytes, on small pages.
fn fill(bytes: u64) -> anyhow::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create(
        "filling",
        rustix::fs::MemfdFlags::CLOEXEC,
    )?);
    let block = vec![1; 1 << 20];
    for _ in 0..bytes >> 20 {
        file.write_all(&block)?;
    }
    ensure!(
        file.metadata()?.len() >= bytes >> 20 << 20,
        "the memfd is smaller than {bytes} bytes: free some memory"
    );
    Ok(file)
}

/// Returns the least time, in ns, of a loop that adds up `bytes` bytes as words.
fn floor(bytes: u64) -> u64 {
    let words = vec![1u64; usize::try_from(bytes / 8).unwrap_or(0)];
    let run = |_| {
        let begin = Instant::now();
        black_box(
            black_box(&words)
                .iter()
                .fold(0u64, |sum, word| sum.wrapping_add(*word)),
        );
        u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    };
    (0..RUNS).map(run).min().unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit behind the point")]
fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}
