//! A process's exit code, as wait(2) packs it.

use pintrace_common::wire;

use pintrace_events::ProcessExited;
use pintrace_events::units::Pid;

/// Unpacks a record. `exit_code` of kernel/exit.c has the signal in the low 7 bits, else the status
/// above 8.
pub(super) fn unpack(exited: &wire::ProcessExited) -> ProcessExited {
    ProcessExited {
        pid: Pid(exited.header.id),
        signal: exited.exit_code & 0x7f,
        status: exited.exit_code >> 8 & 0xff,
        longterm_pages_held: Some(exited.longterm_pages_held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(exit_code: u32) -> (u32, u32) {
        let exited = unpack(&wire::ProcessExited {
            exit_code,
            ..wire::ProcessExited::default()
        });
        (exited.signal, exited.status)
    }

    #[test]
    fn a_signal_and_a_status_are_told_apart() {
        assert_eq!(unpacked(9), (9, 0));
        assert_eq!(unpacked(0x300), (0, 3));
        // With a core dump the kernel sets 0x80 as well.
        assert_eq!(unpacked(0x8b).0, 11);
    }
}
