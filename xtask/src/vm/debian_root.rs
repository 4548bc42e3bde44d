//! A root file system of Debian with systemd, for guests in which systemd is PID 1. mmdebstrap makes it from the archive,
//! and the cache keeps it.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::apt::SOURCES_VARIABLE;
use super::cache;
use super::series::KernelBuild;
use crate::{process, setup};

/// Packages beside the essential packages: systemd, what the tests of the units use, and what the lines of
/// docs/install.md run.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,procps,util-linux,curl,xz-utils";
/// Number of the list of packages. A new list needs a new number, because the cache keeps the file system of the old one.
const LIST: u32 = 2;
/// Parts of packages that no test reads.
const LEFT_OUT: [&str; 3] = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*"];
/// The first series of the suite after bookworm.
const TRIXIE: (u32, u32) = (6, 12);

/// Returns the folder with the root file system of the suite that belongs to a kernel.
pub(crate) fn obtain(kernel: &KernelBuild) -> Result<PathBuf> {
    let series = (kernel.series.0, kernel.series.1);
    let suite = if series < TRIXIE { "bookworm" } else { "trixie" };
    let _lock = cache::lock("roots")?;
    let folder = cache::root()?.join("roots").join(format!("{suite}-{LIST}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    if !rustix::process::geteuid().is_root() {
        bail!(
            "Debian's root file system is not in the cache, and only root can make it: run `cargo xtask test --systemd` once \
             as root"
        );
    }
    setup::debian_root()?;
    eprintln!("xtask: making a root file system of Debian {suite} (takes some minutes)");
    cache::enter(&folder, |folder| {
        let mut command = process::program("mmdebstrap");
        command
            .args(["--quiet", "--mode=root", "--variant=minbase"])
            .arg(format!("--include={PACKAGES}"))
            .arg("--aptopt=Acquire::Languages \"none\"")
            .arg("--skip=check/empty");
        for part in LEFT_OUT {
            command.arg(format!("--dpkgopt=path-exclude={part}"));
        }
        command.arg(suite).arg(folder);
        if let Some(sources) = std::env::var_os(SOURCES_VARIABLE) {
            command.arg(sources);
        }
        process::stdout(&mut command).map(drop)
    })
    .with_context(|| format!("Debian {suite} could not be fetched"))?;
    Ok(folder)
}
