//! The options of a guest, and the preparation for its start.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::architecture::Architecture;
use super::emulator::VirtualMachine;
use super::guest::Guest;
use super::initramfs::GuestFile;
use super::kernel;
use super::series::{Flavour, SeriesChoice};
use crate::{setup, workspace};

/// A guest as described on the command line.
#[derive(Args, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(crate) struct GuestOptions {
    /// Kernel series (`cargo xtask vm list` shows them), or `newest`
    #[arg(long, value_name = "SERIES")]
    pub(crate) kernel: SeriesChoice,
    /// The processor that QEMU emulates. A guest for aarch64 has pintrace and no pinload
    #[arg(long, value_enum, default_value_t, value_name = "ARCH")]
    pub(crate) arch: Architecture,
    /// Debian's configuration of the kernel
    #[arg(long, value_enum, default_value_t)]
    pub(crate) flavour: Flavour,
    /// Memory
    #[arg(long, value_name = "SIZE", default_value = "2G")]
    pub(crate) mem: String,
    /// Processors
    #[arg(long, value_name = "COUNT", default_value_t = 2)]
    pub(crate) cpus: u32,
    /// Size of the disk at /mnt
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub(crate) disk: String,
    /// Emulate all processors in one thread, or each processor in a separate thread (faster, but two guests in a
    /// hundred die)
    #[arg(long, value_enum, default_value_t)]
    pub(crate) threads: EmulationThreads,
    /// Let the guest's clock count instructions, with one processor: rates become repeatable
    #[arg(long)]
    pub(crate) icount: bool,
    /// Use hardware virtualisation, if this machine offers it
    #[arg(long, conflicts_with = "icount")]
    pub(crate) kvm: bool,
    /// Kernel modules to load before the command runs
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) modules: Vec<String>,
    /// File or folder to copy into the guest, with the libraries it needs; DEST defaults to /root, the
    /// working directory
    #[arg(long, value_name = "SRC[=DEST]", value_parser = GuestFile::parse)]
    pub(crate) add: Vec<GuestFile>,
    /// Debian package for the guest, with the libraries it needs; NAME/SUITE for a suite other than this
    /// system's
    #[arg(long, value_name = "DEBIAN-PACKAGE")]
    pub(crate) package: Vec<String>,
    /// Additional text for the kernel's command line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) append: Vec<String>,
    /// Additional word for QEMU's command line
    #[arg(long, value_name = "WORD", allow_hyphen_values = true)]
    pub(crate) qemu_arg: Vec<String>,
    /// Time limit for boot and command
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Folder for the contents of /out after the command
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// File for the kernel's console
    #[arg(long, value_name = "FILE")]
    pub(crate) console: Option<PathBuf>,
    /// Let systemd of Debian be PID 1: bookworm up to kernel 6.11, else trixie. The command runs as the unit `guest`
    #[arg(long)]
    pub(crate) systemd: bool,
    /// Do not build pintrace and pinload, and leave them out of the guest
    #[arg(long)]
    pub(crate) bare: bool,
}

/// The threads that emulate the processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum EmulationThreads {
    /// One thread for all processors
    #[default]
    Single,
    /// One thread for each processor
    Multi,
}

impl GuestOptions {
    /// Returns a guest on this kernel with default options.
    pub(crate) fn new(kernel: SeriesChoice) -> Self {
        Self {
            kernel,
            arch: Architecture::default(),
            flavour: Flavour::default(),
            mem: "2G".to_owned(),
            cpus: 2,
            disk: "1G".to_owned(),
            threads: EmulationThreads::default(),
            icount: false,
            kvm: false,
            modules: Vec::new(),
            add: Vec::new(),
            package: Vec::new(),
            append: Vec::new(),
            qemu_arg: Vec::new(),
            timeout: Duration::from_mins(10),
            out: None,
            console: None,
            systemd: false,
            bare: false,
        }
    }

    /// Sets up this machine, builds the binaries and fetches the kernel.
    pub(crate) fn prepare(&self) -> Result<Guest> {
        setup::guests()?;
        if self.arch == Architecture::Arm {
            setup::programs(&[("qemu-system-aarch64", "qemu-system-arm")])?;
        }
        let mut additions = Vec::new();
        if !self.bare {
            setup::rust()?;
            setup::bpf_linker()?;
            self.arch.install_compiler()?;
            let names: &[&str] = match self.arch {
                Architecture::X86 => &["pintrace", "pinload"],
                // The system calls of pinload are those of x86-64.
                Architecture::Arm => &["pintrace"],
            };
            for name in names {
                additions.push(GuestFile::new(
                    workspace::build_for_guest(name, self.arch)?,
                    &format!("usr/local/bin/{name}"),
                ));
            }
        }
        additions.extend(self.add.iter().cloned());
        Ok(Guest {
            kernel: kernel::obtain(self.kernel, self.flavour, self.arch)?,
            machine: VirtualMachine {
                architecture: self.arch,
                memory: self.mem.clone(),
                cpus: self.cpus,
                multi_threaded: self.threads == EmulationThreads::Multi,
                count_instructions: self.icount,
                kvm: self.kvm,
                qemu_args: self.qemu_arg.clone(),
                append: self.append.clone(),
            },
            systemd: self.systemd,
            disk: self.disk.clone(),
            modules: self.modules.clone(),
            additions,
            packages: self.package.clone(),
            limit: self.timeout,
            out: self.out.clone(),
            console: self.console.clone(),
        })
    }
}

/// Parses `90`, `90s`, `5m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits
        .parse()
        .map_err(|_| "a duration such as 90s, 5m or 1h is needed".to_owned())?;
    match &text[digits.len()..] {
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_mins(number)),
        "h" => Ok(Duration::from_hours(number)),
        unit => Err(format!("there is no unit {unit:?}; use s, m or h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert!(duration("5 years").is_err() && duration("m").is_err());
    }
}
