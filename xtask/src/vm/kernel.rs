//! Debian's kernels in the archive and in the cache. A cached kernel needs no network.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::apt::{Apt, AptScope};
use super::architecture::Architecture;
use super::cache;
use super::series::{Flavour, KernelBuild, SeriesChoice};
use super::vmlinux;
use crate::process;

/// A kernel that is ready to boot.
#[derive(Clone)]
pub(crate) struct KernelImage {
    /// The build.
    pub(crate) build: KernelBuild,
    folder: PathBuf,
}

impl KernelImage {
    /// Returns the path of the uncompressed kernel, which QEMU boots: for x86-64 with a PVH entry point, for 64-bit Arm an
    /// `Image`.
    pub(crate) fn vmlinux(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    /// Returns the folder `lib/modules/RELEASE`, with `modules.dep`. The superseded series 6.19 to 7.1 have no modules.
    pub(crate) fn modules(&self) -> Option<PathBuf> {
        let modules = self.folder.join("lib/modules").join(&self.build.release);
        modules.join("modules.dep").is_file().then_some(modules)
    }

    /// Returns the path of the build configuration.
    pub(crate) fn config(&self) -> Option<PathBuf> {
        Some(self.folder.join("config")).filter(|config| config.is_file())
    }
}

/// Returns the newest matching kernel, from the cache or else from Debian's archive.
pub(crate) fn obtain(
    wanted: SeriesChoice,
    flavour: Flavour,
    architecture: Architecture,
) -> Result<KernelImage> {
    let _lock = cache::lock("kernels")?;
    if let Some(build) = KernelBuild::newest(cached()?, wanted, flavour, architecture)
        && wanted != SeriesChoice::Newest
    {
        return open(build);
    }
    match fetch(wanted, flavour, architecture) {
        Ok(kernel) => Ok(kernel),
        Err(error) => match KernelBuild::newest(cached()?, wanted, flavour, architecture) {
            Some(build) => {
                eprintln!(
                    "xtask: using the newest cached kernel, {}: {error:#}",
                    build.release
                );
                open(build)
            }
            None => Err(error.context(format!(
                "kernel {wanted} ({flavour}, {architecture}) is not in the cache and could not be fetched"
            ))),
        },
    }
}

/// Returns all builds in Debian's archive.
pub(crate) fn on_offer() -> Result<Vec<KernelBuild>> {
    Ok(builds(&names(&Apt::open(AptScope::Kernels)?)?))
}

/// Returns all builds in the cache.
pub(crate) fn cached() -> Result<Vec<KernelBuild>> {
    let Ok(entries) = fs::read_dir(kernels_folder()?) else {
        return Ok(Vec::new());
    };
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.filter_map(|name| KernelBuild::parse(&name)).collect())
}

fn kernels_folder() -> Result<PathBuf> {
    Ok(cache::root()?.join("kernels"))
}

fn open(build: KernelBuild) -> Result<KernelImage> {
    let folder = kernels_folder()?.join(&build.release);
    Ok(KernelImage { build, folder })
}

fn names(apt: &Apt) -> Result<Vec<String>> {
    apt.names(
        &["image", "binary", "modules", "base"]
            .map(|part| format!("linux-{part}-[0-9]"))
            .each_ref()
            .map(String::as_str),
    )
}

/// Returns the builds with these package names. Up to 6.18 `linux-image-RELEASE` has all files. Since 6.19
/// `linux-image-RELEASE` is a meta package, and `linux-binary-RELEASE` has the kernel.
fn builds(names: &[String]) -> Vec<KernelBuild> {
    let releases = names.iter().filter_map(|name| {
        name.strip_prefix("linux-image-")
            .or(name.strip_prefix("linux-binary-"))
    });
    releases.filter_map(KernelBuild::parse).collect()
}

fn fetch(wanted: SeriesChoice, flavour: Flavour, architecture: Architecture) -> Result<KernelImage> {
    let apt = Apt::open(AptScope::kernels(architecture))?;
    let names = names(&apt)?;
    let build = KernelBuild::newest(builds(&names), wanted, flavour, architecture).with_context(|| {
        format!("Debian offers no {wanted} ({flavour}) any more; `cargo xtask vm list` shows the available kernels")
    })?;
    let kernel = open(build)?;
    if kernel.vmlinux().is_file() {
        return Ok(kernel);
    }
    let release = &kernel.build.release;
    let is_offered = |name: &String| names.contains(name);
    let split = ["binary", "modules", "base"].map(|part| format!("linux-{part}-{release}"));
    let packages: Vec<String> = if is_offered(&split[0]) {
        split.into_iter().filter(is_offered).collect()
    } else {
        vec![format!("linux-image-{release}")]
    };
    let candidates = apt.candidates(&packages)?;
    cache::enter(&kernel.folder, |folder| {
        let unpacked = tempfile::tempdir_in(folder)?;
        apt.unpack(&format!("kernel {release}"), &candidates, unpacked.path())?;
        keep(unpacked.path(), folder, release)
    })?;
    Ok(kernel)
}

/// Moves the files that a guest needs out of the unpacked packages.
fn keep(unpacked: &Path, folder: &Path, release: &str) -> Result<()> {
    let modules = ["lib/modules", "usr/lib/modules"].map(|place| unpacked.join(place).join(release));
    let images = [
        unpacked.join(format!("boot/vmlinuz-{release}")),
        modules[1].join("vmlinuz"),
        modules[0].join("vmlinuz"),
    ];
    let Some(image) = images.iter().find(|image| image.is_file()) else {
        bail!("Debian's packages of {release} contain no vmlinuz");
    };
    vmlinux::obtain(image, &folder.join("vmlinux"))?;
    let configs = [
        unpacked.join(format!("boot/config-{release}")),
        modules[1].join("config"),
        modules[0].join("config"),
    ];
    if let Some(config) = configs.iter().find(|config| config.is_file()) {
        fs::copy(config, folder.join("config"))?;
    }
    if let Some(modules) = modules.iter().find(|modules| modules.join("kernel").is_dir()) {
        cache::folder(&folder.join("lib/modules"))?;
        fs::rename(modules, folder.join("lib/modules").join(release))?;
        process::run(process::program("depmod").arg("-b").arg(folder).arg(release))?;
    }
    Ok(())
}
