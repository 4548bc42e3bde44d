//! File systems in which the program of a release is tried: one with a shell and no library at all, one of Debian, and
//! those that the caller has as archives, such as Alpine's minirootfs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::process;

/// The file system.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    /// Debian's static busybox, and nothing else.
    Busybox,
    /// Debian's essential packages.
    Debian,
    /// The files of an archive that tar can read.
    Archive(&'a Path),
}

/// A file system in a temporary folder.
pub(super) struct Chroot {
    folder: TempDir,
}

impl Chroot {
    /// Makes the file system.
    pub(super) fn new(kind: Kind<'_>) -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("a chroot needs root: run the command with sudo");
        }
        let chroot = Self {
            folder: tempfile::tempdir().context("cannot write to the folder of temporary files")?,
        };
        match kind {
            Kind::Busybox => chroot.fill_with_busybox()?,
            Kind::Debian => chroot.fill_with_debian()?,
            Kind::Archive(archive) => unpack(archive, chroot.folder.path())?,
        }
        Ok(chroot)
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    fn fill_with_busybox(&self) -> Result<()> {
        for folder in ["bin", "proc", "sys", "tmp", "root"] {
            fs::create_dir_all(self.path(folder))?;
        }
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|file| file.is_file());
        super::copy(
            busybox.context("no busybox on this machine")?,
            &self.path("bin/busybox"),
        )?;
        std::os::unix::fs::symlink("busybox", self.path("bin/sh"))?;
        Ok(())
    }

    fn fill_with_debian(&self) -> Result<()> {
        let mut command = process::program("mmdebstrap");
        command
            .args(["--quiet", "--variant=essential", &suite()?])
            .arg(self.folder.path());
        process::stdout(&mut command)?;
        Ok(())
    }

    /// Runs a shell script in the file system, which has /proc and /sys of this machine.
    fn run(&self, script: &str) -> Result<Output> {
        let mut command = process::program("unshare");
        command
            .args(["--mount", "sh", "-ec"])
            .arg("mount --rbind /proc \"$1/proc\"; mount --rbind /sys \"$1/sys\"; exec chroot \"$1\" /bin/sh -c \"$2\"")
            .arg("sh")
            .arg(self.folder.path())
            .arg(script);
        process::output(&mut command)
    }

    /// Runs a shell script that has to succeed, and returns its output.
    fn stdout(&self, script: &str) -> Result<String> {
        let output = self.run(script)?;
        if !output.status.success() {
            bail!("`{script}` failed: {}", process::error_output(&output));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Unpacks the tarball and runs its program.
    pub(super) fn try_tarball(&self, tarball: &Path) -> Result<String> {
        unpack(tarball, &self.path("root"))?;
        let folder = super::name(tarball).replace(".tar.xz", "");
        self.try_program(&format!("/root/{folder}/pintrace"))
    }

    fn try_program(&self, program: &str) -> Result<String> {
        let version = self.stdout(&format!("{program} --version"))?;
        let expected = concat!("pintrace ", env!("CARGO_PKG_VERSION"));
        if version.trim() != expected {
            bail!("`pintrace --version` printed {version}");
        }
        let page = self.stdout(&format!("{program} generate man"))?;
        if !page.contains(".SH NAME") {
            bail!("`pintrace generate man` printed no page: {page}");
        }
        // This machine may allow less than the program needs, and `doctor` says so by its exit code.
        let doctor = self.run(&format!("{program} doctor --json"))?;
        let code = doctor.status.code();
        let report: Value = serde_json::from_slice(&doctor.stdout).with_context(|| {
            format!(
                "`pintrace doctor --json` printed no JSON: {}",
                process::error_output(&doctor)
            )
        })?;
        if !matches!(code, Some(0 | 3 | 4)) || report["kernel"].as_str().is_none_or(str::is_empty) {
            bail!("`pintrace doctor --json` ended with {}", doctor.status);
        }
        let code = code.unwrap_or_default();
        Ok(format!(
            "--version, generate man; doctor --json with exit code {code}"
        ))
    }

    /// Installs the deb, runs its program, removes it, and purges it.
    pub(super) fn try_deb(&self, deb: &Path) -> Result<String> {
        let before = self.files()?;
        super::copy(deb, &self.path("tmp/pintrace.deb"))?;
        self.stdout("dpkg --install /tmp/pintrace.deb")?;
        let said = self.try_program("/usr/bin/pintrace")?;
        self.stdout("dpkg --remove pintrace")?;
        if !self.path("etc/pintrace/config.toml").is_file() {
            bail!("a removal took the configuration away");
        }
        if self.path("usr/bin/pintrace").exists() {
            bail!("a removal left the program");
        }
        self.stdout("dpkg --purge pintrace; rm /tmp/pintrace.deb")?;
        let after = self.files()?;
        let left: Vec<&str> = after
            .iter()
            .filter(|file| !before.contains(file))
            .map(String::as_str)
            .collect();
        if !left.is_empty() {
            bail!("a purge left {}", left.join(", "));
        }
        Ok(format!("install, {said}, remove, purge: nothing is left"))
    }

    /// Returns the names of all files outside of the records of dpkg, which has its own copies of them.
    fn files(&self) -> Result<Vec<String>> {
        let records = "-path /proc -prune -o -path /sys -prune -o -path '/var/lib/dpkg/*-old' -prune";
        let text = self.stdout(&format!(
            "find / {records} -o -path /var/log/dpkg.log -prune -o -print"
        ))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

/// Unpacks an archive into a folder.
fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    let mut tar = process::program("tar");
    process::run(tar.arg("-xf").arg(archive).arg("-C").arg(folder))
}

/// Returns Debian's suite of this system, whose keys are installed.
fn suite() -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.unwrap_or("stable").trim_matches('"').to_owned())
}
