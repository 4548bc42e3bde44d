//! What a process may still pin: RLIMIT_MEMLOCK, and what the kernel has charged against it.

use crate::snapshot::{Process, Snapshot};
use crate::subsystem::Subsystem;
use crate::text;

/// The limit of a process, and the counts that the kernel compares with it. All sizes are bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockedMemory {
    /// `RLIMIT_MEMLOCK`; `None` for no limit.
    pub limit: Option<u64>,
    /// The process has CAP_IPC_LOCK, so the limit does not apply.
    pub exempt: bool,
    /// `mm_struct.pinned_vm` (`VmPin`), which RDMA compares with the limit.
    pub pinned: u64,
    /// `mm_struct.locked_vm` (`VmLck`), which VFIO compares with the limit.
    pub locked: u64,
}

/// Returns what the process may still pin, and what is used of the limit.
#[must_use]
pub fn words(memory: LockedMemory, process: &Process, snapshot: &Snapshot) -> String {
    let bytes = text::bytes;
    let Some(limit) = memory.limit else {
        return format!(
            "no limit (VmPin {}, VmLck {})",
            bytes(memory.pinned),
            bytes(memory.locked)
        );
    };
    if memory.exempt {
        return format!(
            "limit {}, which CAP_IPC_LOCK lifts (VmPin {}, VmLck {})",
            bytes(limit),
            bytes(memory.pinned),
            bytes(memory.locked)
        );
    }
    let left = |used: u64| bytes(limit.saturating_sub(used));
    let of_process = format!(
        "limit {}; left for RDMA {} (VmPin {}), for VFIO {} (VmLck {})",
        bytes(limit),
        left(memory.pinned),
        bytes(memory.pinned),
        left(memory.locked),
        bytes(memory.locked)
    );
    let Some(uid) = process.uid else {
        return of_process;
    };
    let held = held_by_user(uid, snapshot);
    format!(
        "{of_process}, for io_uring and AF_XDP about {} (user {uid} holds {})",
        left(held),
        bytes(held)
    )
}

/// Returns the bytes that the processes of a user hold by io_uring and AF_XDP. The kernel charges such pins to the user
/// (`user_struct.locked_vm`), which no file of /proc shows. Large folios are charged whole, so the charge may be larger.
fn held_by_user(uid: u32, snapshot: &Snapshot) -> u64 {
    let charged = [Subsystem::IoUring, Subsystem::AfXdp];
    let of_user = snapshot.processes.iter().filter(|one| one.uid == Some(uid));
    let charged = of_user.flat_map(|one| {
        charged
            .iter()
            .filter_map(|subsystem| one.subsystems.get(subsystem))
    });
    let pages = charged.copied().fold(0, u64::saturating_add);
    pages.saturating_mul(u64::from(snapshot.started.page_size))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pintrace_events::Started;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn snapshot() -> Snapshot {
        let process = |uid, subsystem, pages| {
            Arc::new(Process {
                uid: Some(uid),
                subsystems: [(subsystem, pages)].into(),
                ..Process::default()
            })
        };
        Snapshot {
            started: Arc::new(Started {
                page_size: 4096,
                ..Started::default()
            }),
            processes: [
                process(1000, Subsystem::IoUring, 256),
                process(1000, Subsystem::Rdma, 4096),
                process(1001, Subsystem::IoUring, 4096),
            ]
            .into_iter()
            .collect(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn only_pins_that_are_charged_to_the_user_use_its_limit() {
        let snapshot = snapshot();
        let memory = LockedMemory {
            limit: Some(8 * MIB),
            pinned: 16 * MIB,
            locked: 2 * MIB,
            ..LockedMemory::default()
        };
        let first = snapshot.processes.iter().next().unwrap();
        assert_eq!(
            words(memory, first, &snapshot),
            "limit 8 MiB; left for RDMA 0 B (VmPin 16 MiB), for VFIO 6 MiB (VmLck 2 MiB), for io_uring and AF_XDP about 7 MiB \
             (user 1000 holds 1 MiB)"
        );
        let exempt = LockedMemory {
            exempt: true,
            ..memory
        };
        assert!(words(exempt, first, &snapshot).contains("CAP_IPC_LOCK lifts"));
        let unlimited = LockedMemory {
            limit: None,
            ..memory
        };
        assert_eq!(
            words(unlimited, first, &snapshot),
            "no limit (VmPin 16 MiB, VmLck 2 MiB)"
        );
    }
}
