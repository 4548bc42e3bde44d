//! The root file system of a guest: an initramfs with busybox, init.sh and the files for this guest.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::architecture::Architecture;
use super::cpio::CpioArchive;
use super::kernel::KernelImage;
use super::{libraries, modules, package};

const INIT: &str = include_str!("init.sh");
const FOLDERS: [&str; 17] = [
    "bin",
    "sbin",
    "usr/bin",
    "usr/sbin",
    "usr/local/bin",
    "proc",
    "sys",
    "dev",
    "etc/guest/modules.d",
    "root",
    "run",
    "tmp",
    "mnt",
    "out",
    "boot",
    "lib",
    "var",
];
const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
const GROUPS: &str = "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n";

/// A file or folder of this machine, and its path in the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GuestFile {
    /// The path on this machine.
    pub(crate) source: PathBuf,
    /// The path in the guest, without the leading `/`.
    pub(crate) destination: String,
}

impl GuestFile {
    /// Returns a file of this machine with its path in the guest.
    pub(crate) fn new(source: impl Into<PathBuf>, destination: &str) -> Self {
        Self {
            source: source.into(),
            destination: destination.trim_matches('/').to_owned(),
        }
    }

    /// Parses `SRC[=DEST]`; DEST defaults to the working directory of the command, /root.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (source, destination) = if let Some((source, destination)) = text.split_once('=') {
            (source, destination.to_owned())
        } else {
            let name = Path::new(text)
                .file_name()
                .ok_or("a file or folder with a name is needed")?;
            (text, format!("/root/{}", name.to_string_lossy()))
        };
        if !destination.starts_with('/') || source.is_empty() {
            return Err("SRC=DEST needs an absolute DEST".to_owned());
        }
        Ok(Self::new(source, &destination))
    }
}

/// The contents of the initramfs.
pub(crate) struct Initramfs<'a> {
    /// The kernel, for modules and configuration.
    pub(crate) kernel: &'a KernelImage,
    /// The shell script to run.
    pub(crate) command: &'a str,
    /// Shell assignments that init.sh reads.
    pub(crate) settings: &'a str,
    /// Names of kernel modules to load.
    pub(crate) modules: &'a [String],
    /// Files of this machine, which are added with their libraries.
    pub(crate) additions: &'a [GuestFile],
    /// Folders whose contents are copied into the root.
    pub(crate) overlays: &'a [PathBuf],
}

impl Initramfs<'_> {
    /// Writes the initramfs.
    pub(crate) fn write(&self, initramfs: &Path) -> Result<()> {
        let file =
            File::create(initramfs).with_context(|| format!("cannot write {}", initramfs.display()))?;
        let mut archive = CpioArchive::new(BufWriter::new(file));
        for folder in FOLDERS {
            archive.folder(folder)?;
        }
        archive.character_device("dev/console", 5, 1)?;
        archive.character_device("dev/null", 1, 3)?;
        let busybox = match self.kernel.build.architecture {
            Architecture::X86 => busybox()?,
            Architecture::Arm => package::arm_busybox()?,
        };
        archive.file("bin/busybox", 0o755, &fs::read(busybox)?)?;
        archive.file("init", 0o755, INIT.as_bytes())?;
        archive.file("etc/passwd", 0o644, USERS.as_bytes())?;
        archive.file("etc/group", 0o644, GROUPS.as_bytes())?;
        archive.file("etc/guest/command", 0o755, self.command.as_bytes())?;
        archive.file("etc/guest/settings", 0o644, self.settings.as_bytes())?;
        if let Some(config) = self.kernel.config() {
            archive.copy(&format!("boot/config-{}", self.kernel.build.release), &config)?;
        }
        let mut order = String::new();
        for module in modules::with_dependencies(self.kernel, self.modules)? {
            archive.file(
                &format!("etc/guest/modules.d/{}", module.name),
                0o644,
                &module.content()?,
            )?;
            order.push_str(&module.name);
            order.push('\n');
        }
        archive.file("etc/guest/modules", 0o644, order.as_bytes())?;
        for overlay in self.overlays {
            for entry in
                fs::read_dir(overlay).with_context(|| format!("cannot read {}", overlay.display()))?
            {
                let entry = entry?;
                archive.copy(&entry.file_name().to_string_lossy(), &entry.path())?;
            }
        }
        self.add(&mut archive)?;
        archive.finish().context("cannot write the initramfs")?;
        Ok(())
    }

    fn add(&self, archive: &mut CpioArchive<BufWriter<File>>) -> Result<()> {
        let mut binaries = Vec::new();
        for GuestFile { source, destination } in self.additions {
            let real =
                fs::canonicalize(source).with_context(|| format!("cannot add {}", source.display()))?;
            archive.copy(destination, &real)?;
            binaries.extend(libraries::files(&real)?);
        }
        if binaries.is_empty() {
            return Ok(());
        }
        for (path, source) in libraries::needed(&binaries, &libraries::of_this_machine()?)? {
            archive.copy(&path, &fs::canonicalize(source)?)?;
        }
        Ok(())
    }
}

fn busybox() -> Result<PathBuf> {
    let places = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from);
    let Some(busybox) = places.into_iter().find(|place| place.is_file()) else {
        bail!("no busybox on this machine: `cargo xtask setup` installs busybox");
    };
    let linked = libraries::needed(std::slice::from_ref(&busybox), &libraries::of_this_machine()?)?;
    if !linked.is_empty() {
        bail!(
            "{} is not static: `cargo xtask setup` installs busybox-static",
            busybox.display()
        );
    }
    Ok(busybox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_destination_goes_to_the_working_directory() {
        assert_eq!(
            GuestFile::parse("/bin/true").unwrap(),
            GuestFile::new("/bin/true", "root/true")
        );
        assert_eq!(
            GuestFile::parse("a/b=/c/d").unwrap(),
            GuestFile::new("a/b", "c/d")
        );
        assert!(GuestFile::parse("a=b").is_err());
        assert!(GuestFile::parse("..").is_err());
    }
}
