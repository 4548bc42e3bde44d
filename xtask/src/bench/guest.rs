//! Runs a benchmark script in one guest for each kernel.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::figure::Figure;
use super::result::BenchResult;
use super::sample::GuestSamples;
use crate::process;
use crate::vm::guest::GuestExit;
use crate::vm::kernel_target::KernelTarget;
use crate::vm::{self, GuestOptions};

/// Ten times the duration on an idle host.
const LIMIT: Duration = Duration::from_hours(1);

/// A script with the packages and modules that the script needs.
pub(crate) struct GuestScript<'a> {
    /// The script.
    pub(crate) text: &'a str,
    /// Debian packages.
    pub(crate) packages: &'a [&'a str],
    /// Kernel modules.
    pub(crate) modules: &'a [&'a str],
    /// Memory of the guest in GiB.
    pub(crate) memory: u32,
    /// The clock of the guest.
    pub(crate) clock: GuestClock,
}

/// The clock of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestClock {
    /// Counts instructions, with one processor: times are the same on a busy host.
    Instructions,
    /// The clock of the host, with two processors.
    Host,
}

/// Keeps the output, and prints each measurement to standard error as soon as it is made.
#[derive(Default)]
struct OutputReader {
    bytes: Vec<u8>,
    shown: usize,
}

/// Runs the script on each kernel, one after another, and returns the figures.
pub(crate) fn measure(
    kernels: &[KernelTarget],
    script: &GuestScript<'_>,
    figures: impl Fn(&GuestSamples) -> Result<Vec<Figure>>,
) -> Result<BenchResult> {
    let mut result = BenchResult {
        machine: machine(script)?,
        ..BenchResult::default()
    };
    for kernel in kernels {
        let samples = run(*kernel, script)?;
        result
            .kernels
            .push(format!("{}: {}", samples.place(), samples.release));
        result.figures.extend(figures(&samples)?);
    }
    Ok(result)
}

fn run(kernel: KernelTarget, script: &GuestScript<'_>) -> Result<GuestSamples> {
    eprintln!("xtask: measures on {kernel}; this takes some minutes");
    let mut options = GuestOptions::new(kernel.kernel);
    options.flavour = kernel.flavour;
    options.icount = script.clock == GuestClock::Instructions;
    options.mem = format!("{}G", script.memory);
    options.timeout = LIMIT;
    let owned = |words: &[&str]| words.iter().copied().map(str::to_owned).collect();
    options.package = owned(script.packages);
    options.modules = owned(script.modules);
    let mut output = OutputReader::default();
    let exit = options.prepare()?.run(script.text, &mut output)?;
    let text = String::from_utf8_lossy(&output.bytes);
    if !matches!(exit, GuestExit::Exited(0)) {
        let code = vm::explain(&exit);
        bail!("the benchmark on {kernel} ended early with exit code {code}; its output:\n{text}");
    }
    GuestSamples::parse(&text).with_context(|| format!("the benchmark on {kernel} failed"))
}

/// Returns the emulator and its clock, which take the place of the machine in results of guests.
fn machine(script: &GuestScript<'_>) -> Result<String> {
    let version = process::stdout(process::program("qemu-system-x86_64").arg("--version"))?;
    let version = version.lines().next().unwrap_or_default();
    let version = version.split(" (").next().unwrap_or_default();
    let clock = match script.clock {
        GuestClock::Instructions => {
            "one processor, clock of 2 ns per instruction (-icount shift=1,sleep=off)"
        }
        GuestClock::Host => "two processors, clock of the host",
    };
    Ok(format!("{version}, TCG, {} GiB, {clock}", script.memory))
}

impl Write for OutputReader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        while let Some(length) = self.bytes[self.shown..].iter().position(|byte| *byte == b'\n') {
            let line = &self.bytes[self.shown..self.shown + length];
            if line.starts_with(b"sample\t") {
                eprintln!("{}", String::from_utf8_lossy(line).trim_end());
            }
            self.shown += length + 1;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_lines_are_shown() {
        let mut output = OutputReader::default();
        output.write_all(b"noise\nsample\tbare\t{}").unwrap();
        assert_eq!(output.shown, 6);
        output.write_all(b"\n").unwrap();
        assert_eq!(output.shown, output.bytes.len());
    }
}
