//! The binary `pintrace`; its code is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    pintrace::cli::main().into()
}
