//! Runs the program pintrace.

pub(crate) mod wait;

use std::process::{Command, Output, Stdio};
use std::thread;

/// Path of the program.
pub(crate) const PINTRACE: &str = env!("CARGO_BIN_EXE_pintrace");

/// Runs a command without input to its end. Fails if the command does not end.
pub(crate) fn output(mut command: Command) -> Output {
    let name = format!("the end of {command:?}");
    let running = thread::spawn(move || command.stdin(Stdio::null()).output());
    wait::until(&name, || running.is_finished().then_some(()));
    running.join().unwrap().unwrap()
}

/// Runs pintrace with arguments. Tables have the width of a pipe.
pub(crate) fn pintrace(arguments: &[&str]) -> Output {
    let mut command = Command::new(PINTRACE);
    command.args(arguments).env_remove("COLUMNS");
    output(command)
}

/// Returns the exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Returns the text on stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
