//! Creates the files of a guest, runs it, and returns its result.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::disk::{self, GuestProgress};
use super::emulator::{self, EmulatorExit, MachineFiles, VirtualMachine};
use super::initramfs::{GuestFile, Initramfs};
use super::kernel::KernelImage;
use super::{cache, debian_root, package};

/// Under emulation, a CPU sometimes executes an instruction in the middle of text patching. No other fault prints this
/// line.
const EMULATOR_FAULT: &str = "Oops: int3: 0000";
const CONSOLE_LINES: usize = 40;

/// A guest to run.
#[derive(Clone)]
pub(crate) struct Guest {
    /// The kernel.
    pub(crate) kernel: KernelImage,
    /// The virtual machine.
    pub(crate) machine: VirtualMachine,
    /// systemd of Debian is PID 1, with the disk as its root file system.
    pub(crate) systemd: bool,
    /// Size of the disk at /mnt, as mke2fs takes it.
    pub(crate) disk: String,
    /// Kernel modules to load.
    pub(crate) modules: Vec<String>,
    /// Files of this machine.
    pub(crate) additions: Vec<GuestFile>,
    /// Debian packages.
    pub(crate) packages: Vec<String>,
    /// The time limit.
    pub(crate) limit: Duration,
    /// The folder for the contents of /out.
    pub(crate) out: Option<PathBuf>,
    /// The file for the kernel's console.
    pub(crate) console: Option<PathBuf>,
}

/// The result of a guest.
#[derive(Debug)]
pub(crate) enum GuestExit {
    /// The command ended with this exit code.
    Exited(u8),
    /// The time limit was reached, while booting or while the command ran.
    TimedOut(GuestProgress),
    /// The kernel died; the end of its console.
    Died(String),
}

/// The size of the user's terminal.
pub(crate) struct TerminalSize {
    /// Height in rows.
    pub(crate) rows: u16,
    /// Width in columns.
    pub(crate) columns: u16,
}

impl Guest {
    /// Runs a shell script and writes its output to `sink` without delay.
    pub(crate) fn run(&self, script: &str, sink: &mut dyn Write) -> Result<GuestExit> {
        match self.run_once(script, None, sink)? {
            GuestExit::Died(console) if console.contains(EMULATOR_FAULT) => {
                eprintln!(
                    "xtask: the guest died of `{EMULATOR_FAULT}`, a fault of the emulator: the guest starts a second \
                     and last time"
                );
                self.run_once(script, None, sink)
            }
            exit => Ok(exit),
        }
    }

    /// Runs a shell script on the user's terminal, without a time limit.
    pub(crate) fn run_on_terminal(&self, script: &str, terminal: &TerminalSize) -> Result<GuestExit> {
        if self.systemd {
            bail!("--systemd works with `vm run` only");
        }
        self.run_once(script, Some(terminal), &mut std::io::sink())
    }

    fn run_once(
        &self,
        script: &str,
        terminal: Option<&TerminalSize>,
        sink: &mut dyn Write,
    ) -> Result<GuestExit> {
        let place = run_folder()?;
        let file = |name: &str| place.path().join(name);
        let (initramfs, disk, report, console) =
            (file("initramfs"), file("disk"), file("report"), file("console"));
        self.root(script, terminal, &initramfs)?;
        let debian = if self.systemd {
            Some(debian_root::obtain(&self.kernel.build)?)
        } else {
            None
        };
        disk::make_ext4(&disk, &self.disk, debian.as_deref())?;
        disk::make_report(&report)?;
        fs::write(&console, "")?;
        let vmlinux = self.kernel.vmlinux();
        let parts = MachineFiles {
            vmlinux: &vmlinux,
            initramfs: &initramfs,
            disk: &disk,
            report: &report,
            console: &console,
        };
        let command = emulator::command(&self.machine, &parts, terminal.is_some());
        let ending = match terminal {
            Some(_) => emulator::run_on_terminal(command)?,
            None => emulator::run(command, self.limit, sink)?,
        };
        if let Some(kept) = &self.console {
            fs::copy(&console, kept).with_context(|| format!("cannot write {}", kept.display()))?;
        }
        let exit = guest_exit(ending, &report, &console, terminal.is_some())?;
        if let (Some(out), GuestExit::Exited(_)) = (&self.out, &exit) {
            disk::read_out(&report, out)?;
        }
        Ok(exit)
    }

    fn root(&self, script: &str, terminal: Option<&TerminalSize>, initramfs: &Path) -> Result<()> {
        let overlays = self
            .packages
            .iter()
            .map(|name| package::obtain(name))
            .collect::<Result<Vec<_>>>()?;
        let settings = match terminal {
            Some(TerminalSize { rows, columns }) => {
                let term = std::env::var("TERM").unwrap_or_else(|_| "linux".to_owned());
                format!(
                    "MODE=terminal ROWS={rows} COLUMNS={columns}\nexport TERM='{}'\n",
                    term.replace('\'', "")
                )
            }
            None if self.systemd => "MODE=systemd\nexport TERM=dumb\n".to_owned(),
            None => "MODE=run\nexport TERM=dumb\n".to_owned(),
        };
        let serial = emulator::command_serial(self.machine.architecture);
        let settings = format!("SERIAL={serial}\n{settings}");
        let root = Initramfs {
            kernel: &self.kernel,
            command: script,
            settings: &settings,
            modules: &self.modules,
            additions: &self.additions,
            overlays: &overlays,
        };
        root.write(initramfs)
    }
}

fn guest_exit(ending: EmulatorExit, report: &Path, console: &Path, on_terminal: bool) -> Result<GuestExit> {
    let report = disk::read_report(report)?;
    Ok(match (ending, report) {
        (EmulatorExit::Failed(error), _) => bail!("QEMU failed: {error}"),
        (_, GuestProgress::Exited(code)) => GuestExit::Exited(code),
        (EmulatorExit::TimedOut, report) => GuestExit::TimedOut(report),
        (EmulatorExit::Unread, _) => GuestExit::Exited(0),
        // On a terminal the user can end the emulator.
        (EmulatorExit::Ended, GuestProgress::Started) if on_terminal && !panicked(console) => {
            GuestExit::Exited(0)
        }
        (EmulatorExit::Ended, _) => GuestExit::Died(end_of(console)),
    })
}

fn panicked(console: &Path) -> bool {
    end_of(console).contains("Kernel panic")
}

/// Returns the last lines of the console, and all earlier lines with an error of the kernel.
fn end_of(console: &Path) -> String {
    let text = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let tail = lines.len().saturating_sub(CONSOLE_LINES);
    let is_error = |line: &&str| ERROR_SIGNS.iter().any(|sign| line.contains(sign));
    let before = lines[..tail].iter().copied().filter(is_error);
    before
        .chain(lines[tail..].iter().copied())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Signs of a kernel error.
const ERROR_SIGNS: &[&str] = &["Kernel panic", "Oops: ", "BUG: "];

/// Creates a folder for one run, with the pid of this process in its name, and removes folders of killed processes.
fn run_folder() -> Result<tempfile::TempDir> {
    let guests = cache::root()?.join("guests");
    cache::folder(&guests)?;
    for entry in fs::read_dir(&guests)?.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_string_lossy()
            .split('-')
            .next()
            .map(str::to_owned)
            .unwrap_or_default();
        if !Path::new("/proc").join(owner).exists() {
            // Another process may remove the folder at the same time.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
    let prefix = format!("{}-", std::process::id());
    tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(&guests)
        .context("cannot write to the cache")
}
