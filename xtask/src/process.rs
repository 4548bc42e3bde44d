//! Runs other programs. An error names the program and its error output; if the program is missing, the error
//! names the remedy.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Returns a command that also finds programs in /usr/sbin and /sbin, which a user's PATH often lacks.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(name);
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"));
    command
}

/// Runs the command on the standard streams of this process. Fails if the command fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs the command and returns its standard output. An error contains its standard error.
pub(crate) fn stdout(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        bail!("`{}` failed: {}", line(command), error_output(&output));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs the command and captures its output; a failure status is no error.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null());
    command.output().with_context(|| cannot_start(command))
}

/// Returns true if a program with this name is on the PATH.
pub(crate) fn exists(name: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/local/sbin", "/usr/sbin", "/sbin"]);
    folders
        .map(|folder| std::path::Path::new(folder).join(name))
        .any(|file| file.is_file())
}

/// Returns the error output of a failed program, or the exit status if there is no error output.
pub(crate) fn error_output(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    match text.trim() {
        "" => output.status.to_string(),
        text => text.to_owned(),
    }
}

/// Returns the context of the error that a program cannot be started.
pub(crate) fn cannot_start(command: &Command) -> String {
    let name = command.get_program().to_string_lossy();
    format!("cannot run `{name}`; `cargo xtask setup` installs what the project needs")
}

/// Returns the command as a line of text.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
