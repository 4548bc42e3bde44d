//! Short processes with hostile names.

use std::ffi::CStr;

use nix::libc;
use nix::sys::prctl::set_name;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

use super::{Bound, pages};
use crate::failure::{Explain, Result};
use crate::memory::PAGE;
use crate::self_read;

/// Names of up to 15 bytes that a terminal, a log or a format could take for something else.
const NAMES: [&CStr; 12] = [
    // Clear the screen, and change the colour.
    c"\x1b[2J\x1b[31mred",
    // Write the clipboard.
    c"\x1b]52;c;QUFB\x07",
    // Set the title.
    c"\x1b]0;owned\x07",
    // Right-to-left override.
    c"\xe2\x80\xaecod.exe",
    // Invalid UTF-8.
    c"\xff\xfe\x80\xc3(",
    // A sequence that is cut in its middle.
    c"aaaaaaaaaaaaa\xf0\x9f",
    // C1 control, as one byte and as UTF-8.
    c"\x9b31m\xc2\x9b31m",
    c"a\nb\rc\td",
    c"\x08\x08\x08\x7f",
    c"\"}],\\{\"x\":1",
    c"=cmd|' /C'!A0",
    c"%s%n%x ) 1 2 (",
];

/// Forks processes, one after another. Returns their number.
pub(super) fn run(bound: Bound) -> Result<u64> {
    let buffer = pages(2)?;
    let mut done = 0;
    for name in NAMES.iter().cycle() {
        if !bound.allows(done) {
            break;
        }
        // SAFETY: the process has one thread, so the child may call any function.
        match unsafe { fork() }.failing("cannot fork", "raise ulimit -u")? {
            ForkResult::Child => {
                let named = set_name(name).is_ok();
                let read = self_read::read_page(buffer.address(), buffer.address() + PAGE, PAGE);
                // SAFETY: `_exit` does not return and takes no pointer.
                unsafe { libc::_exit(i32::from(!named || read != Ok(PAGE))) }
            }
            ForkResult::Parent { child } => {
                waitpid(child, None).failing("cannot wait for a child", "report this as a bug of pinload")?;
            }
        }
        done += 1;
    }
    Ok(done)
}
