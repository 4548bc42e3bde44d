//! `cargo xtask demo`: a guest in which processes pin memory, with `pintrace top` on the user's terminal. Root is not
//! needed.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::vm;

const SCRIPT: &str = include_str!("demo.sh");

/// The options of `demo`.
#[derive(Args)]
pub(crate) struct DemoTask {
    /// Kernel series (`cargo xtask vm list` shows them), or `newest`
    #[arg(long, value_name = "SERIES", default_value = "6.12")]
    kernel: vm::series::SeriesChoice,
}

impl DemoTask {
    /// Runs the demo.
    pub(crate) fn run(self) -> Result<ExitCode> {
        vm::on_terminal(&vm::GuestOptions::new(self.kernel), SCRIPT)
    }
}
