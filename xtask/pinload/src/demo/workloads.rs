//! The table of workloads that the demo runs.

/// A workload that the demo starts repeatedly.
pub(super) struct DemoWorkload {
    /// The process name that ps and pintrace show.
    pub(super) name: &'static str,
    /// Command line of the workload.
    pub(super) arguments: &'static str,
    /// Range of the time for which the pins are held, in milliseconds.
    pub(super) hold: (u64, u64),
    /// Range of the time until the next start, in milliseconds.
    pub(super) pause: (u64, u64),
}

const STAYS: (u64, u64) = (86_400_000, 86_400_000);

pub(super) const WORKLOADS: [DemoWorkload; 12] = [
    workload(
        "db-cache",
        "io-uring --pages 4096 --buffers 16",
        STAYS,
        (1_000, 1_000),
    ),
    workload(
        "vm-memory",
        "io-uring --pages 8192 --backing thp",
        STAYS,
        (1_000, 1_000),
    ),
    workload("packet-pump", "af-xdp --pages 512", (5_000, 15_000), (500, 2_000)),
    workload(
        "gpu-share",
        "udmabuf --pages 1024",
        (4_000, 10_000),
        (1_000, 3_000),
    ),
    workload(
        "db-journal",
        "direct-write --pages 256 --block 4096",
        (0, 200),
        (100, 400),
    ),
    workload(
        "backup",
        "direct-read --pages 4096 --block 1048576",
        (0, 500),
        (500, 2_000),
    ),
    workload(
        "debugger",
        "process-vm --pages 256 --repeat 20",
        (0, 500),
        (1_000, 4_000),
    ),
    workload(
        "io-workers",
        "io-uring --pages 128 --threads 3",
        (2_000, 6_000),
        (500, 3_000),
    ),
    workload(
        "crasher",
        "io-uring --pages 256 --release kill",
        (3_000, 8_000),
        (2_000, 5_000),
    ),
    workload(
        "forgetful",
        "io-uring --pages 64 --change munmap",
        (4_000, 9_000),
        (4_000, 9_000),
    ),
    workload(
        "forker",
        "io-uring --pages 64 --change fork-write",
        (3_000, 9_000),
        (4_000, 9_000),
    ),
    workload(
        "log-shipper",
        "vmsplice --pages 128",
        (1_000, 4_000),
        (500, 2_000),
    ),
];

const fn workload(
    name: &'static str,
    arguments: &'static str,
    hold: (u64, u64),
    pause: (u64, u64),
) -> DemoWorkload {
    DemoWorkload {
        name,
        arguments,
        hold,
        pause,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn every_demo_workload_is_a_valid_command_line() {
        for workload in &WORKLOADS {
            let words = ["pinload"].into_iter().chain(workload.arguments.split(' '));
            let cli = crate::cli::PinloadCli::try_parse_from(words).unwrap();
            assert!(
                crate::plan::WorkloadPlan::of(cli.command).unwrap().is_some(),
                "{}",
                workload.name
            );
            assert!(workload.name.len() <= 15, "{}", workload.name);
        }
    }
}
