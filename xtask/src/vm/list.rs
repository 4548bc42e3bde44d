//! `cargo xtask vm list`: lists the kernel series, with the newest build in Debian's archive and
//! in the cache, for each flavour.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;

use super::architecture::Architecture;
use super::kernel;
use super::series::{Flavour, KNOWN_SERIES, KernelBuild, SeriesChoice};

/// Prints the table.
pub(crate) fn run() -> Result<ExitCode> {
    let cached = kernel::cached()?;
    let offered = kernel::on_offer().unwrap_or_else(|error| {
        eprintln!("xtask: the column `newest` is empty: {error:#}");
        Vec::new()
    });
    let mut out = std::io::stdout();
    writeln!(out, "{:<8}{:<8}{:<34}cached", "series", "flavour", "newest")?;
    for series in KNOWN_SERIES {
        for flavour in [Flavour::Cloud, Flavour::Full, Flavour::Rt] {
            let newest = |builds: &[KernelBuild]| {
                let (builds, wanted) = (builds.iter().cloned(), SeriesChoice::Series(series));
                KernelBuild::newest(builds, wanted, flavour, Architecture::X86)
            };
            let name =
                |build: Option<KernelBuild>| build.map_or_else(|| "-".to_owned(), |build| build.release);
            let (offered, cached) = (name(newest(&offered)), name(newest(&cached)));
            writeln!(out, "{series:<8}{flavour:<8}{offered:<34}{cached}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
