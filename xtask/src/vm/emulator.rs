//! QEMU: its command line, its output and its time limit.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::architecture::Architecture;
use crate::process;

/// Options for few devices, no self-tests, and an end of the guest at a panic or oops. The files of the guest are in a ramfs:
/// a tmpfs holds half of the memory, and cuts the last files of a large initramfs.
const KERNEL_OPTIONS: &str = "quiet rootfstype=ramfs panic=-1 oops=panic reboot=t no_timer_check \
    mitigations=off audit=0 random.trust_cpu=on cryptomgr.notests";
/// A clock that stays correct under load. The kernel measures the time-stamp counter at boot, and the result is wrong
/// by up to four times if the emulator waits for a CPU during the measurement.
const STEADY_CLOCK: &str = "tsc=unstable clocksource=acpi_pm";
/// The clock of a guest that counts instructions: load does not affect the time-stamp counter, which is cheaper to
/// read.
const COUNTER_CLOCK: &str = "tsc=reliable";

/// Processor, board and firmware of a machine, and the names of its serial lines.
struct Board {
    qemu: &'static str,
    options: &'static [&'static str],
    /// The line of the kernel's console.
    console: &'static str,
    /// The device of the second serial line, unless the board has one.
    second_serial: Option<&'static str>,
}

const fn board(architecture: Architecture) -> Board {
    match architecture {
        Architecture::X86 => Board {
            qemu: "qemu-system-x86_64",
            options: &["-M", "q35", "-cpu", "max", "-bios", "bios-microvm.bin"],
            console: "ttyS0",
            second_serial: None,
        },
        // QEMU emulates the usual pointer authentication slowly.
        Architecture::Arm => Board {
            qemu: "qemu-system-aarch64",
            options: &["-M", "virt", "-cpu", "max,pauth-impdef=on"],
            console: "ttyAMA0",
            second_serial: Some("pci-serial"),
        },
    }
}

/// Returns the guest's device of the command's serial line.
pub(super) const fn command_serial(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86 => "/dev/ttyS1",
        Architecture::Arm => "/dev/ttyS0",
    }
}

/// The configuration of the virtual machine.
#[derive(Clone, Debug)]
pub(crate) struct VirtualMachine {
    /// The processor.
    pub(crate) architecture: Architecture,
    /// Memory, as QEMU's `-m` takes it.
    pub(crate) memory: String,
    /// Number of processors.
    pub(crate) cpus: u32,
    /// One thread for each processor instead of one thread for all: faster, but two guests in a hundred die.
    pub(crate) multi_threaded: bool,
    /// The guest's clock counts instructions: repeatable rates, one processor.
    pub(crate) count_instructions: bool,
    /// Use hardware virtualisation.
    pub(crate) kvm: bool,
    /// Additional words for QEMU's command line.
    pub(crate) qemu_args: Vec<String>,
    /// Additional text for the kernel's command line.
    pub(crate) append: Vec<String>,
}

/// The files of the machine.
pub(crate) struct MachineFiles<'a> {
    /// Uncompressed kernel.
    pub(crate) vmlinux: &'a Path,
    /// Initramfs.
    pub(crate) initramfs: &'a Path,
    /// First disk.
    pub(crate) disk: &'a Path,
    /// Second disk.
    pub(crate) report: &'a Path,
    /// The file for the kernel's console.
    pub(crate) console: &'a Path,
}

/// The way in which QEMU ended.
#[derive(Debug)]
pub(crate) enum EmulatorExit {
    /// QEMU exited.
    Ended,
    /// QEMU failed, with this error output.
    Failed(String),
    /// Killed at the time limit.
    TimedOut,
    /// Killed because the reader of the output has closed it.
    Unread,
}

/// Returns the command line. The kernel kills QEMU if this process dies.
pub(crate) fn command(machine: &VirtualMachine, parts: &MachineFiles<'_>, terminal: bool) -> Command {
    let mut command = process::program("setpriv");
    let board = board(machine.architecture);
    command.args(["--pdeathsig", "KILL", "--", board.qemu]);
    let threads = if machine.multi_threaded { "multi" } else { "single" };
    let accelerator = if machine.kvm {
        "kvm".to_owned()
    } else {
        format!("tcg,thread={threads}")
    };
    command.args(["-accel", &accelerator, "-m", &machine.memory]);
    command.args(board.options);
    let cpus = if machine.count_instructions {
        1
    } else {
        machine.cpus
    };
    command.args(["-smp", &cpus.to_string()]);
    if machine.count_instructions {
        command.args(["-icount", "shift=1,sleep=off"]);
    }
    command.args(["-nodefaults", "-no-user-config", "-nographic", "-no-reboot"]);
    command
        .arg("-kernel")
        .arg(parts.vmlinux)
        .arg("-initrd")
        .arg(parts.initramfs);
    let clock = match machine.architecture {
        Architecture::Arm => "",
        Architecture::X86 if machine.count_instructions => COUNTER_CLOCK,
        Architecture::X86 => STEADY_CLOCK,
    };
    command.arg("-append").arg(format!(
        "console={} {KERNEL_OPTIONS} {clock} {}",
        board.console,
        machine.append.join(" ")
    ));
    command
        .arg("-serial")
        .arg(format!("file:{}", parts.console.display()));
    let stdio = if terminal { "mon:stdio" } else { "stdio" };
    match board.second_serial {
        None => command.args(["-serial", stdio]),
        Some(device) => {
            let mux = if terminal { "on" } else { "off" };
            command
                .arg("-chardev")
                .arg(format!("stdio,id=command,signal=off,mux={mux}"))
                .arg("-device")
                .arg(format!("{device},chardev=command"))
        }
    };
    command.args(["-device", "nvme,id=nvme,serial=guest"]);
    for (number, disk) in [parts.disk, parts.report].into_iter().enumerate() {
        command.arg("-drive").arg(format!(
            "file={},format=raw,if=none,id=d{number},cache=unsafe",
            disk.display()
        ));
        command
            .arg("-device")
            .arg(format!("nvme-ns,drive=d{number},bus=nvme,nsid={}", number + 1));
    }
    command.args(&machine.qemu_args);
    command
}

/// Runs QEMU and writes the output of the guest's second serial line to `sink`.
pub(crate) fn run(mut command: Command, limit: Duration, sink: &mut dyn Write) -> Result<EmulatorExit> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| process::cannot_start(&command))?;
    let output = child.stdout.take().ok_or_else(|| anyhow!("QEMU has no output"))?;
    let errors = child
        .stderr
        .take()
        .ok_or_else(|| anyhow!("QEMU has no error output"))?;
    let errors = thread::spawn(move || io::read_to_string(errors).unwrap_or_default());
    let ending = follow(&child, &chunks(output), Instant::now() + limit, sink);
    // No effect on a process that has exited.
    child.kill().context("cannot end QEMU")?;
    let status = child.wait()?;
    let message = errors.join().unwrap_or_default();
    match ending? {
        EmulatorExit::Ended if !status.success() => {
            Ok(EmulatorExit::Failed(format!("{}: {status}", message.trim())))
        }
        ending => Ok(ending),
    }
}

/// Runs QEMU on the user's terminal.
pub(crate) fn run_on_terminal(mut command: Command) -> Result<EmulatorExit> {
    let status = command
        .status()
        .with_context(|| process::cannot_start(&command))?;
    Ok(if status.success() {
        EmulatorExit::Ended
    } else {
        EmulatorExit::Failed(status.to_string())
    })
}

fn follow(
    child: &Child,
    chunks: &Receiver<Vec<u8>>,
    end: Instant,
    sink: &mut dyn Write,
) -> Result<EmulatorExit> {
    loop {
        match chunks.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(chunk) if sink.write_all(&chunk).and_then(|()| sink.flush()).is_err() => {
                return Ok(EmulatorExit::Unread);
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Ok(EmulatorExit::TimedOut),
            Err(RecvTimeoutError::Disconnected) => return exit_before(child, end),
        }
    }
}

/// Waits until QEMU exits or the time limit is reached.
fn exit_before(child: &Child, end: Instant) -> Result<EmulatorExit> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).context("cannot watch QEMU")?;
    let left = Timespec::try_from(end.saturating_duration_since(Instant::now()))?;
    let exited =
        poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)).context("cannot watch QEMU")?;
    Ok(if exited == 0 {
        EmulatorExit::TimedOut
    } else {
        EmulatorExit::Ended
    })
}

/// Reads the output on a thread into an unbounded queue, because a serial line with a slow reader loses bytes.
fn chunks(mut output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(length @ 1..) = output.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_shell(script: &str, limit: Duration) -> (EmulatorExit, Vec<u8>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut output = Vec::new();
        let exit = run(command, limit, &mut output).unwrap();
        (exit, output)
    }

    #[test]
    fn a_process_that_closes_its_output_is_awaited() {
        let (exit, output) = run_shell("echo x; exec >&-; sleep 0.2", Duration::from_mins(1));
        assert!(matches!(exit, EmulatorExit::Ended), "{exit:?}");
        assert_eq!(output, b"x\n");
    }

    #[test]
    fn a_process_is_killed_at_the_time_limit_whether_its_output_is_open_or_closed() {
        for script in ["exec sleep 1000", "exec sleep 1000 >&- 2>&-"] {
            let (exit, _) = run_shell(script, Duration::from_millis(300));
            assert!(matches!(exit, EmulatorExit::TimedOut), "{script}: {exit:?}");
        }
    }

    #[test]
    fn the_error_output_of_a_failed_process_is_kept() {
        let (exit, _) = run_shell("echo no such option >&2; exit 1", Duration::from_mins(1));
        let EmulatorExit::Failed(message) = exit else {
            panic!("{exit:?}")
        };
        assert!(message.starts_with("no such option"), "{message}");
    }
}
