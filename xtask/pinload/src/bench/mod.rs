//! `bench`: repeats one operation and reports the time, so that `cargo xtask bench` can compare the cost of the operation
//! with and without a tracer. Only `register-buffers` pins memory.

mod busy;
mod memory;
mod process;
mod timer;

use clap::{Args, ValueEnum};
use serde::Serialize;

pub(crate) use self::busy::{BusyArgs, run as run_busy};
use self::timer::Timer;
use crate::failure::{Failure, Result};
use crate::report;

/// Options of `bench`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchArgs {
    /// The operation
    #[arg(value_enum)]
    operation: Operation,
    /// Number of operations. Default: as many as take about 20 ms on a fast machine
    #[arg(long, value_name = "COUNT", conflicts_with = "command", value_parser = clap::value_parser!(u64).range(1..))]
    operations: Option<u64>,
    /// Repeat the operation while this command runs, and report the longest operation too
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// The operation to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Operation {
    /// First write to a page of private memory
    AnonymousFault,
    /// First write to a page after a fork, which copies the page
    CowFault,
    /// mmap of one page, a write, munmap
    MapTouchUnmap,
    /// MADV_DONTNEED of one page, and a write
    DiscardTouch,
    /// mprotect of one page to read-only and back
    ProtectPair,
    /// getppid, one of the cheapest system calls
    SystemCall,
    /// fork of a child that exits at once
    Fork,
    /// Registration of 64 MiB as a buffer of an io_uring, and its removal: 16,384 pins
    RegisterBuffers,
}

/// The operations were made.
#[derive(Serialize)]
struct MeasuredLine {
    event: &'static str,
    workload: String,
    operations: u64,
    elapsed_ns: u64,
    /// The longest operation, if the operation was repeated while a command ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_ns: Option<u64>,
}

impl Operation {
    /// Returns the default number of operations.
    const fn usual_number(self) -> u64 {
        match self {
            Self::AnonymousFault | Self::CowFault | Self::MapTouchUnmap => 4000,
            Self::DiscardTouch | Self::ProtectPair => 8000,
            Self::SystemCall => 100_000,
            Self::Fork => 100,
            Self::RegisterBuffers => 4,
        }
    }

    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Repeats the operation and prints the time.
pub(crate) fn run(arguments: &BenchArgs) -> Result<()> {
    let operation = arguments.operation;
    let mut timer = if arguments.command.is_empty() {
        Timer::count(arguments.operations.unwrap_or(operation.usual_number()))
    } else {
        Timer::command(&arguments.command)?
    };
    match operation {
        Operation::AnonymousFault => memory::anonymous_fault(&mut timer)?,
        Operation::CowFault => memory::cow_fault(&mut timer)?,
        Operation::MapTouchUnmap => memory::map_touch_unmap(&mut timer)?,
        Operation::DiscardTouch => memory::discard_touch(&mut timer)?,
        Operation::ProtectPair => memory::protect_pair(&mut timer)?,
        Operation::SystemCall => process::system_call(&mut timer)?,
        Operation::Fork => process::fork(&mut timer)?,
        Operation::RegisterBuffers => memory::register_buffers(&mut timer)?,
    }
    report::print(&MeasuredLine {
        event: "measured",
        workload: operation.name(),
        operations: timer.operations(),
        elapsed_ns: timer.elapsed_ns(),
        longest_ns: timer.longest_ns(),
    })?;
    match timer.command_code() {
        None | Some(0) => Ok(()),
        Some(code) => Err(Failure::failed(
            format!("the command ended with code {code}"),
            "see its message",
        )),
    }
}
