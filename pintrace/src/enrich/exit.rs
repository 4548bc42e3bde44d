//! A process's exit code, as wait(2) packs it.

use crate::event::ProcessExited;
use crate::units::Pid;

/// Unpacks `exit_code` of kernel/exit.c: the signal in the low 7 bits, else the status above 8.
pub(super) fn unpack(pid: u32, code: u32) -> ProcessExited {
    ProcessExited {
        pid: Pid(pid),
        signal: code & 0x7f,
        status: code >> 8 & 0xff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_and_a_status_are_told_apart() {
        assert_eq!(
            unpack(1, 9),
            ProcessExited {
                pid: Pid(1),
                signal: 9,
                status: 0
            }
        );
        assert_eq!(
            unpack(1, 0x300),
            ProcessExited {
                pid: Pid(1),
                signal: 0,
                status: 3
            }
        );
        // With a core dump the kernel sets 0x80 as well.
        assert_eq!(unpack(1, 0x8b).signal, 11);
    }
}
