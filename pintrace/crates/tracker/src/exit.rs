//! Exit codes of processes, as wait(2) packs them.

use pintrace_common::wire;

use pintrace_events::ProcessExited;
use pintrace_events::units::Pid;

/// Unpacks a record. `exit_code` (`do_exit`, kernel/exit.c) holds the signal in bits 0 to 6 and the exit status in bits
/// 8 to 15.
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
    fn signal_and_status_are_unpacked() {
        assert_eq!(unpacked(9), (9, 0));
        assert_eq!(unpacked(0x300), (0, 3));
        // The kernel sets bit 7 (0x80) if the process dumped core.
        assert_eq!(unpacked(0x8b).0, 11);
    }
}
