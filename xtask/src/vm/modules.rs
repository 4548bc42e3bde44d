//! Kernel modules for a guest, uncompressed and in loading order.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::kernel::KernelImage;
use super::series::Flavour;
use crate::process;

/// A module file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelModule {
    /// The file name without the compression suffix.
    pub(crate) name: String,
    path: PathBuf,
}

impl KernelModule {
    /// Returns the uncompressed module.
    pub(crate) fn content(&self) -> Result<Vec<u8>> {
        let tool = match self.path.extension().and_then(|extension| extension.to_str()) {
            Some("xz") => "xz",
            Some("zst") => "zstd",
            _ => return fs::read(&self.path).with_context(|| format!("cannot read {}", self.path.display())),
        };
        let mut command = process::program(tool);
        command.arg("-dcq").arg(&self.path).stdin(Stdio::null());
        let output = process::output(&mut command)?;
        if !output.status.success() {
            bail!(
                "cannot unpack {}: {}",
                self.path.display(),
                process::error_output(&output)
            );
        }
        Ok(output.stdout)
    }
}

/// Modules that the disk needs if the modules are not built in (full and rt). ext4 requests its checksum module by name
/// at run time.
const FOR_THE_DISK: [&str; 3] = ["nvme", "crc32c_generic", "ext4"];

/// Modules that another module requests by name at run time, on the kernels that have them.
const REQUESTED: [(&str, &str); 1] = [("rdma_rxe", "crc32_generic")];

/// Returns the named modules, the modules of the disk, and all dependencies, each module after its own dependencies.
/// Built-in modules are left out.
pub(crate) fn with_dependencies(kernel: &KernelImage, names: &[String]) -> Result<Vec<KernelModule>> {
    let release = &kernel.build.release;
    let Some(folder) = kernel.modules() else {
        if names.is_empty() && kernel.build.flavour == Flavour::Cloud {
            return Ok(Vec::new());
        }
        bail!(
            "Debian has dropped the modules of {release}: choose another series, or the cloud flavour without modules"
        );
    };
    let read = |name: &str| {
        fs::read_to_string(folder.join(name)).with_context(|| format!("cannot read {name} of {release}"))
    };
    let (table, builtin) = (read("modules.dep")?, read("modules.builtin").unwrap_or_default());
    let find = |name: &str| {
        table
            .lines()
            .find(|line| line.split(':').next().is_some_and(|path| is_called(path, name)))
    };
    let mut order = Vec::new();
    for line in FOR_THE_DISK.into_iter().filter_map(find) {
        add(line, &folder, &mut order);
    }
    for name in names {
        let requested = REQUESTED.iter().filter(|(by, _)| is_called(by, name));
        for line in requested.filter_map(|(_, module)| find(module)) {
            add(line, &folder, &mut order);
        }
        match find(name) {
            Some(line) => add(line, &folder, &mut order),
            None if builtin.lines().any(|line| is_called(line, name)) => {}
            None => {
                bail!("{release} has no module {name}; the full flavour has more modules (--flavour full)")
            }
        }
    }
    Ok(order)
}

/// Adds the modules of one line of modules.dep, which lists direct dependencies before indirect dependencies.
fn add(line: &str, folder: &Path, order: &mut Vec<KernelModule>) {
    let (own, needed) = line.split_once(':').unwrap_or((line, ""));
    for path in needed.split_whitespace().rev().chain([own]) {
        let module = KernelModule {
            name: stem(path).to_owned(),
            path: folder.join(path),
        };
        if !order.contains(&module) {
            order.push(module);
        }
    }
}

fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.split('.').next().unwrap_or(name)
}

/// Returns true if the module at `path` has this name. Module names do not distinguish `-` from `_`.
fn is_called(path: &str, name: &str) -> bool {
    stem(path).replace('-', "_") == name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_loaded_first_and_once() {
        let mut order = Vec::new();
        add(
            "kernel/a.ko.xz: kernel/b.ko.xz kernel/c.ko.xz",
            Path::new("/"),
            &mut order,
        );
        add("kernel/d.ko: kernel/c.ko.xz", Path::new("/"), &mut order);
        let names: Vec<_> = order.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names, ["c", "b", "a", "d"]);
    }

    #[test]
    fn dash_and_underscore_are_the_same() {
        assert!(is_called("kernel/drivers/vfio/vfio-pci.ko.xz", "vfio_pci"));
    }
}
