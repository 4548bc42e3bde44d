//! Debian's archive through a separate apt state: index, names, download. Nothing is installed, and only the cache
//! changes. Mirror and keyring come from the system's sources, and apt checks signatures and SHA256 sums.

mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};

use super::architecture::Architecture;
use super::{cache, progress};
use crate::process;
pub(super) use sources::SOURCES_VARIABLE;

/// Maximum age of an index. An older index is fetched again before use.
const INDEX_AGE: Duration = Duration::from_hours(24);

/// The suites to use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AptScope {
    /// All suites with kernels, independent of the system's suite.
    Kernels,
    /// The same for 64-bit Arm.
    ArmKernels,
    /// The suites of this system, so that a package and its libraries match.
    Packages,
}

impl AptScope {
    /// Returns the suites with kernels for a processor.
    pub(crate) const fn kernels(architecture: Architecture) -> Self {
        match architecture {
            Architecture::X86 => Self::Kernels,
            Architecture::Arm => Self::ArmKernels,
        }
    }
}

/// A package as apt would fetch it.
pub(crate) struct AptPackage {
    /// `name=version`, as `apt-get download` takes it.
    pub(crate) exact: String,
    /// Size in bytes.
    pub(crate) bytes: u64,
}

/// An apt state in the cache.
pub(crate) struct Apt {
    folder: PathBuf,
    config: PathBuf,
}

impl Apt {
    /// Opens the state. An index older than a day is fetched again; without network the old index is used.
    pub(crate) fn open(scope: AptScope) -> Result<Self> {
        let folder = cache::root()?.join(match scope {
            AptScope::Kernels => "apt-kernels",
            AptScope::ArmKernels => "apt-kernels-arm64",
            AptScope::Packages => "apt-packages",
        });
        for part in ["lists/partial", "archives/partial"] {
            cache::folder(&folder.join(part))?;
        }
        fs::write(folder.join("status"), "").context("cannot write the apt state")?;
        let config = folder.join("apt.conf");
        fs::write(&config, sources::configuration(&folder, scope)?).context("cannot write the apt state")?;
        let apt = Self { folder, config };
        apt.refresh_when_old()?;
        Ok(apt)
    }

    fn refresh_when_old(&self) -> Result<()> {
        let stamp = self.folder.join("updated");
        let updated = fs::metadata(&stamp).and_then(|stamp| stamp.modified());
        let age = updated.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
        if age.is_ok_and(|age| age < INDEX_AGE) && std::env::var_os(SOURCES_VARIABLE).is_none() {
            return Ok(());
        }
        eprintln!("xtask: reading Debian's package index");
        let output = process::output(self.command("apt-get").args(["-qq", "update"]))?;
        if output.status.success() {
            fs::write(&stamp, "").context("cannot write the apt state")?;
            return Ok(());
        }
        // One suite may be gone, or there is no network: the old index may be sufficient, so only a failed
        // look-up is an error.
        let error = complaint(&output);
        if fs::read_dir(self.folder.join("lists"))?
            .flatten()
            .any(|list| is_index(&list.path()))
        {
            eprintln!("xtask: the package index is incomplete or old: {error}");
            return Ok(());
        }
        bail!("cannot read Debian's package index: check the network and the system's apt sources\n{error}")
    }

    /// Returns the names of all packages that begin with one of the prefixes.
    pub(crate) fn names(&self, prefixes: &[&str]) -> Result<Vec<String>> {
        let pattern = format!("^({})", prefixes.join("|"));
        let text = process::stdout(
            self.command("apt-cache")
                .args(["search", "--names-only", &pattern]),
        )?;
        Ok(text
            .lines()
            .filter_map(|line| line.split(' ').next())
            .map(str::to_owned)
            .collect())
    }

    /// Returns the downloads for exactly these packages.
    pub(crate) fn candidates(&self, names: &[String]) -> Result<Vec<AptPackage>> {
        let mut command = self.command("apt-get");
        parse_uris(&process::stdout(
            command.args(["-qq", "download", "--print-uris"]).args(names),
        )?)
    }

    /// Returns the downloads for an installation of a package on an empty system.
    pub(crate) fn closure(&self, name: &str) -> Result<Vec<AptPackage>> {
        let mut command = self.command("apt-get");
        command.args([
            "-qq",
            "-y",
            "--no-install-recommends",
            "-o",
            "Debug::NoLocking=1",
            "--print-uris",
            "install",
        ]);
        let text =
            process::stdout(command.arg(name)).with_context(|| format!("no Debian package {name:?} here"))?;
        parse_uris(&text)
    }

    /// Fetches the packages and unpacks the files into `root`. apt rejects a package whose SHA256 sum differs from the
    /// index.
    pub(crate) fn unpack(&self, what: &str, candidates: &[AptPackage], root: &Path) -> Result<()> {
        let place = cache::partial(&self.folder)?;
        let bytes: u64 = candidates.iter().map(|candidate| candidate.bytes).sum();
        let mut command = self.command("apt-get");
        command.args(["-qq", "-o", "APT::Status-Fd=1", "download"]);
        command
            .args(candidates.iter().map(|candidate| &candidate.exact))
            .current_dir(place.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| process::cannot_start(&command))?;
        let status = child
            .stdout
            .take()
            .ok_or_else(|| anyhow!("apt-get has no output"))?;
        progress::follow(status, what, bytes.div_ceil(1_000_000))?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let error = complaint(&output);
            bail!(
                "cannot fetch {what}: check the network and the system's apt sources, then try again\n{error}"
            );
        }
        for archive in fs::read_dir(place.path())? {
            process::run(
                process::program("dpkg-deb")
                    .arg("-x")
                    .arg(archive?.path())
                    .arg(root),
            )?;
        }
        Ok(())
    }

    fn command(&self, name: &str) -> Command {
        let mut command = process::program(name);
        // The language is fixed, because the output is parsed and messages are shown to the user.
        command.env("LC_ALL", "C.UTF-8").arg("-c").arg(&self.config);
        command
    }
}

/// Reads `'address' name_version_arch.deb size SUM` lines.
fn parse_uris(text: &str) -> Result<Vec<AptPackage>> {
    let lines = text.lines().filter(|line| line.starts_with('\''));
    lines
        .map(|line| {
            let mut words = line.split(' ').skip(1);
            let mut parts = words.next()?.split('_');
            // File names spell the colon of an epoch as %3a.
            let exact = format!("{}={}", parts.next()?, parts.next()?.replace("%3a", ":"));
            Some(AptPackage {
                exact,
                bytes: words.next()?.parse().ok()?,
            })
        })
        .collect::<Option<_>>()
        .ok_or_else(|| anyhow!("cannot parse the output of apt-get --print-uris:\n{text}"))
}

/// Returns the first error line of apt, which repeats the error for each file.
fn complaint(output: &Output) -> String {
    let error = process::error_output(output);
    let mut lines = error.lines();
    let first = lines.next().unwrap_or_default().to_owned();
    match lines.count() {
        0 => first,
        more => format!("{first} (and {more} lines more)"),
    }
}

fn is_index(path: &Path) -> bool {
    path.to_string_lossy().contains("_Packages")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn print_uris_output_is_parsed() {
        let text = "'http://x/y.deb' zlib1g_1%3a1.2.13.dfsg-1_amd64.deb 86684 MD5Sum:ec\nReading...\n";
        let found = parse_uris(text).unwrap();
        assert_eq!(
            (found[0].exact.as_str(), found[0].bytes),
            ("zlib1g=1:1.2.13.dfsg-1", 86684)
        );
        assert_eq!(found.len(), 1);
        assert!(parse_uris("'http://x/y.deb' zlib1g").is_err());
    }
}
