//! Debian packages for guests: the files of a package and the shared libraries that the files need, from the cache or
//! the archive.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::apt::{Apt, AptScope};
use super::{cache, libraries};

/// Parts of a package that no test reads.
const LEFT_OUT: [&str; 4] = [
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/lintian",
];

/// Returns the folder with the files and libraries of the package, in the layout of the guest's root. `NAME/SUITE`
/// takes the package from another suite than the system's suite.
pub(crate) fn obtain(name: &str) -> Result<PathBuf> {
    let _lock = cache::lock("packages")?;
    let folder = cache::root()?.join("packages").join(name.replace('/', "@"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let missing = || format!("Debian package {name} is not in the cache and could not be fetched");
    let (own, scope) = match name.split_once('/') {
        Some((name, _)) => (format!("{name}="), AptScope::Kernels),
        None => (format!("{name}="), AptScope::Packages),
    };
    let apt = Apt::open(scope).with_context(missing)?;
    let (package, others): (Vec<_>, Vec<_>) = apt
        .closure(name)
        .with_context(missing)?
        .into_iter()
        .partition(|candidate| candidate.exact.starts_with(&own));
    cache::enter(&folder, |folder| {
        apt.unpack(&format!("package {name}"), &package, folder)?;
        for part in LEFT_OUT
            .map(|part| folder.join(part))
            .iter()
            .filter(|part| part.is_dir())
        {
            fs::remove_dir_all(part)?;
        }
        let rest = tempfile::tempdir().context("cannot write a temporary folder")?;
        if !others.is_empty() {
            apt.unpack(&format!("the libraries of {name}"), &others, rest.path())?;
        }
        add_libraries(name, folder, rest.path())
    })
    .with_context(missing)?;
    Ok(folder)
}

/// Returns one program of a package that is not installed on this machine, to run on this machine. The rest of the
/// package is not kept.
pub(crate) fn program(package: &str, path: &str) -> Result<PathBuf> {
    program_of(AptScope::Packages, package, path, "")
}

/// Returns the static busybox for guests with 64-bit Arm.
pub(crate) fn arm_busybox() -> Result<PathBuf> {
    program_of(
        AptScope::ArmKernels,
        "busybox-static",
        "usr/bin/busybox",
        "-arm64",
    )
}

fn program_of(scope: AptScope, package: &str, path: &str, suffix: &str) -> Result<PathBuf> {
    let _lock = cache::lock("packages")?;
    let name = Path::new(path).file_name().context("the path names no program")?;
    let mut entry = name.to_owned();
    entry.push(suffix);
    let folder = cache::root()?.join("programs").join(entry);
    let program = folder.join(name);
    if program.is_file() {
        return Ok(program);
    }
    let missing =
        || format!("{path} of Debian package {package} is not in the cache and could not be fetched");
    let apt = Apt::open(scope).with_context(missing)?;
    let candidates = apt.candidates(&[package.to_owned()]).with_context(missing)?;
    cache::enter(&folder, |folder| {
        let whole = folder.join("package");
        cache::folder(&whole)?;
        apt.unpack(&format!("package {package}"), &candidates, &whole)?;
        fs::rename(whole.join(path), folder.join(name))
            .with_context(|| format!("the package has no {path}"))?;
        fs::remove_dir_all(&whole).context("cannot remove the rest of the package")
    })
    .with_context(missing)?;
    Ok(program)
}

fn add_libraries(name: &str, folder: &Path, rest: &Path) -> Result<()> {
    let mut index = libraries::below(rest)?;
    index.extend(libraries::below(folder)?);
    // Packages also contain binaries as data, whose libraries may be missing.
    let mut files = libraries::files(folder)?;
    files.retain(|file| is_loaded(file));
    let (needed, missing) = libraries::found_and_missing(&files, &index)?;
    // Some programs of a package need a library that the package only suggests.
    for missing in missing {
        eprintln!(
            "xtask: warning: package {name}: {missing}; {} does not work in the guest",
            missing.user
        );
    }
    for (path, source) in needed {
        let target = folder.join(path);
        if let Some(parent) = target.parent() {
            cache::folder(parent)?;
        }
        if !target.exists() {
            fs::copy(&source, &target).with_context(|| format!("cannot copy {}", source.display()))?;
        }
    }
    Ok(())
}

/// Returns true if a file is a program or a shared library.
fn is_loaded(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let executable = fs::metadata(file).is_ok_and(|data| data.permissions().mode() & 0o111 != 0);
    name.ends_with(".so") || name.contains(".so.") || executable
}
