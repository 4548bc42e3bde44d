//! Takes the debug information out of the program: users who want source lines in a debugger fetch it separately.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::stage;
use crate::{process, workspace};

/// A program and its debug file.
pub(super) struct SplitProgram {
    /// The program without symbols. It names its debug file (`.gnu_debuglink`), and both have the same build id.
    pub(super) program: PathBuf,
    /// The debug file.
    pub(super) debug: PathBuf,
}

/// Splits the program into two files.
pub(super) fn split(program: &Path) -> Result<SplitProgram> {
    let split = SplitProgram {
        program: stage::folder().join("pintrace"),
        debug: stage::beside().join("pintrace.debug"),
    };
    for file in [&split.program, &split.debug] {
        super::copy(program, file)?;
    }
    process::run(objcopy()?.arg("--only-keep-debug").arg(program).arg(&split.debug))?;
    let mut link = OsString::from("--add-gnu-debuglink=");
    link.push(&split.debug);
    process::run(
        objcopy()?
            .arg("--strip-all")
            .arg(link)
            .arg(program)
            .arg(&split.program),
    )?;
    Ok(split)
}

/// Returns the compiler's own objcopy, which reads programs for each processor. It needs the libraries of the compiler.
fn objcopy() -> Result<Command> {
    let sysroot = workspace::sysroot()?;
    let program = sysroot.join("lib/rustlib").join(host()?).join("bin/rust-objcopy");
    let mut command = process::program(program);
    command.env("LD_LIBRARY_PATH", sysroot.join("lib"));
    Ok(command)
}

/// Returns the target of this machine.
fn host() -> Result<String> {
    let text = process::stdout(process::program("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.unwrap_or_default().to_owned())
}
