//! One guest from start to end: puts its parts together, runs it, and says how it came out.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::disk::{self, GuestProgress};
use super::emulator::{self, EmulatorExit, MachineFiles, VirtualMachine};
use super::initramfs::{GuestFile, Initramfs};
use super::kernel::KernelImage;
use super::{cache, package};

/// Text patching under emulation sometimes hits a processor in between; nothing of ours leaves this trace.
const EMULATOR_FAULT: &str = "Oops: int3: 0000";
const CONSOLE_LINES: usize = 40;

/// A guest to be run.
#[derive(Clone)]
pub(crate) struct Guest {
    /// What it boots.
    pub(crate) kernel: KernelImage,
    /// What it runs on.
    pub(crate) machine: VirtualMachine,
    /// Size of the disk at /mnt, as mke2fs takes it.
    pub(crate) disk: String,
    /// KernelImage modules to load.
    pub(crate) modules: Vec<String>,
    /// Files of this machine.
    pub(crate) additions: Vec<GuestFile>,
    /// Debian packages.
    pub(crate) packages: Vec<String>,
    /// How long it may take.
    pub(crate) limit: Duration,
    /// Takes what the command leaves in /out.
    pub(crate) out: Option<PathBuf>,
    /// Takes the kernel's console.
    pub(crate) console: Option<PathBuf>,
}

/// How a guest's run came out.
#[derive(Debug)]
pub(crate) enum GuestExit {
    /// The command ended with this exit code.
    Exited(u8),
    /// The time limit came first; while booting, or while the command ran.
    TimedOut(GuestProgress),
    /// The kernel died; the end of what it said.
    Died(String),
}

/// The user's terminal, for a guest that talks to it.
pub(crate) struct TerminalSize {
    /// Height in rows.
    pub(crate) rows: u16,
    /// Width in columns.
    pub(crate) columns: u16,
}

impl Guest {
    /// Runs a shell script and writes its output to `sink` as it comes.
    pub(crate) fn run(&self, script: &str, sink: &mut dyn Write) -> Result<GuestExit> {
        match self.once(script, None, sink)? {
            GuestExit::Died(console) if console.contains(EMULATOR_FAULT) => {
                eprintln!(
                    "xtask: the guest died of `{EMULATOR_FAULT}`, a fault of the emulator: starting it a second and last time"
                );
                self.once(script, None, sink)
            }
            outcome => Ok(outcome),
        }
    }

    /// Runs a shell script on the user's terminal, without a time limit.
    pub(crate) fn run_on_terminal(&self, script: &str, terminal: &TerminalSize) -> Result<GuestExit> {
        self.once(script, Some(terminal), &mut std::io::sink())
    }

    fn once(&self, script: &str, terminal: Option<&TerminalSize>, sink: &mut dyn Write) -> Result<GuestExit> {
        let place = run_folder()?;
        let file = |name: &str| place.path().join(name);
        let (initramfs, disk, report, console) =
            (file("initramfs"), file("disk"), file("report"), file("console"));
        self.root(script, terminal, &initramfs)?;
        disk::make_ext4(&disk, &self.disk)?;
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
        let outcome = judge(ending, &report, &console, terminal.is_some())?;
        if let (Some(out), GuestExit::Exited(_)) = (&self.out, &outcome) {
            disk::read_out(&report, out)?;
        }
        Ok(outcome)
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
            None => "MODE=run\nexport TERM=dumb\n".to_owned(),
        };
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

fn judge(ending: EmulatorExit, report: &Path, console: &Path, on_terminal: bool) -> Result<GuestExit> {
    let report = disk::read_report(report)?;
    Ok(match (ending, report) {
        (EmulatorExit::Failed(said), _) => bail!("QEMU failed: {said}"),
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
    end_of(console).contains("KernelImage panic")
}

/// The last lines, and what they are the trace of: the first line of trouble, however long ago.
fn end_of(console: &Path) -> String {
    let text = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let tail = lines.len().saturating_sub(CONSOLE_LINES);
    let trouble = |line: &&str| TROUBLE.iter().any(|sign| line.contains(sign));
    let before = lines[..tail].iter().copied().filter(trouble);
    before
        .chain(lines[tail..].iter().copied())
        .collect::<Vec<_>>()
        .join("\n")
}

/// What the kernel says first when it dies.
const TROUBLE: &[&str] = &["KernelImage panic", "Oops: ", "BUG: "];

/// A folder for one run, named by our process id; those of processes that were killed are removed on the way.
fn run_folder() -> Result<tempfile::TempDir> {
    let shelf = cache::root()?.join("guests");
    cache::folder(&shelf)?;
    for entry in fs::read_dir(&shelf)?.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_string_lossy()
            .split('-')
            .next()
            .map(str::to_owned)
            .unwrap_or_default();
        if !Path::new("/proc").join(owner).exists() {
            // Another process may be removing it too.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
    let prefix = format!("{}-", std::process::id());
    tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(&shelf)
        .context("cannot write to the cache")
}
