//! Benchmarks that run on this machine.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{process, setup, workspace};

/// A benchmark of the package `pintrace`.
pub(crate) struct NativeBench {
    /// The name of the benchmark.
    pub(crate) name: &'static str,
    /// The cargo options for the features of the benchmark.
    pub(crate) features: &'static [&'static str],
    /// The benchmark loads eBPF programs or maps, which only root may do.
    pub(crate) needs_root: bool,
}

impl NativeBench {
    /// Runs the benchmark and returns its output.
    pub(crate) fn output(&self) -> Result<String> {
        process::stdout(&mut self.command()?)
    }

    fn command(&self) -> Result<Command> {
        let Self {
            name,
            features,
            needs_root,
        } = self;
        if *needs_root && !rustix::process::geteuid().is_root() {
            bail!("bench {name} loads eBPF programs on this machine: run it as root");
        }
        setup::rust()?;
        setup::bpf_linker()?;
        let words = ["bench", "--no-run", "--package", "pintrace", "--bench", name];
        let program = workspace::build(name, &[&words, *features].concat())?;
        let mut command = process::program(program);
        // As cargo calls a benchmark.
        command.arg("--bench").current_dir(workspace::root());
        Ok(command)
    }
}

/// Returns processor and memory of this machine.
pub(crate) fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let (processors, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    described(&processors, &memory, threads)
}

fn described(processors: &str, memory: &str, threads: usize) -> String {
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field(processors, "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let kib = field(memory, "MemTotal").and_then(|size| size.split(' ').next()?.parse::<u64>().ok());
    let gib = kib.map_or_else(|| "?".to_owned(), |kib| (kib >> 20).to_string());
    format!("{model}, {threads} threads, {gib} GiB")
}

#[cfg(test)]
mod tests {
    use super::described;

    #[test]
    fn the_machine_is_read_from_proc() {
        let processors = "processor\t: 0\nmodel name\t: Fast CPU\nprocessor\t: 1\nmodel name\t: Fast CPU\n";
        let memory = "MemTotal:       25165824 kB\nMemFree: 1 kB\n";
        assert_eq!(described(processors, memory, 2), "Fast CPU, 2 threads, 24 GiB");
        assert_eq!(described("", "", 1), "unknown processor, 1 threads, ? GiB");
    }
}
