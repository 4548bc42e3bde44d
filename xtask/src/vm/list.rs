//! `cargo xtask vm list`: lists the series, with the newest build and the newest cached build of each flavour.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;

use super::kernel;
use super::series::{Flavour, KernelBuild, ON_OFFER, SeriesChoice};

/// Prints the table.
pub(crate) fn run() -> Result<ExitCode> {
    let cached = kernel::cached()?;
    let offered = kernel::on_offer().unwrap_or_else(|error| {
        eprintln!("xtask: only the cache is listed: {error:#}");
        Vec::new()
    });
    let mut out = std::io::stdout();
    writeln!(out, "{:<8}{:<8}{:<34}cached", "series", "flavour", "newest")?;
    for series in ON_OFFER {
        for flavour in [Flavour::Cloud, Flavour::Full, Flavour::Rt] {
            let newest = |builds: &[KernelBuild]| {
                KernelBuild::newest(builds.iter().cloned(), SeriesChoice::Series(series), flavour)
            };
            let name =
                |build: Option<KernelBuild>| build.map_or_else(|| "-".to_owned(), |build| build.release);
            let (offered, cached) = (name(newest(&offered)), name(newest(&cached)));
            writeln!(out, "{series:<8}{flavour:<8}{offered:<34}{cached}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
