//! Takes the debug information out of the program: users who want source lines in a debugger fetch it separately.

use std::path::{Path, PathBuf};

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
    // The compiler's own objcopy reads programs of each processor.
    let objcopy = workspace::sysroot()?
        .join("lib/rustlib")
        .join(host()?)
        .join("bin/rust-objcopy");
    let mut keep = process::program(&objcopy);
    process::run(keep.arg("--only-keep-debug").arg(program).arg(&split.debug))?;
    let mut link = std::ffi::OsString::from("--add-gnu-debuglink=");
    link.push(&split.debug);
    let mut strip = process::program(&objcopy);
    process::run(
        strip
            .arg("--strip-all")
            .arg(link)
            .arg(program)
            .arg(&split.program),
    )?;
    Ok(split)
}

/// Returns the target of this machine.
fn host() -> Result<String> {
    let text = process::stdout(process::program("rustc").arg("-vV"))?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.unwrap_or_default().to_owned())
}
