//! Tests of the screen about the own cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use pintrace_events::units::Nanos;
use pintrace_model::own_cost::{
    MapMemory, Measurement, OwnCost, ProcessCost, ProgramPurpose, RingFill, RunTime, Runs, Statistics,
};
use pintrace_model::snapshot::Snapshot;

use super::fixture;
use super::screen_tests::{CLASSIC, SMALL, assert_screen, rows, screen};

const WIDE: (u16, u16) = (120, 40);
const SECOND: u64 = 1_000_000_000;

fn with(cost: Option<OwnCost>) -> Snapshot {
    Snapshot {
        own_cost: cost.map(Arc::new),
        ..fixture::lossy()
    }
}

/// Returns the own cost of a host with 16 CPUs, before the run time is measured.
fn unmeasured() -> OwnCost {
    let maps = [
        ("ACCOUNTS", 2_097_152),
        ("BACKUP_TOKENS", 1_048_576),
        ("CHUNKS", 3_149_824),
        ("CHUNK_SLOTS", 9_437_184),
        ("EXTENTS", 10_485_760),
        ("MULTI_OWNER_FOL", 786_432),
        ("RING", 8_421_376),
        (".bss", 4096),
    ];
    let map = |(name, bytes): (&str, u64)| (name.to_owned(), MapMemory { maps: 1, bytes });
    OwnCost {
        cpus: 16,
        maps: maps.map(map).into(),
        ring: Some(RingFill {
            size: 4 << 20,
            used: 1200,
            most: 98_304,
        }),
        process: ProcessCost {
            cpu: Nanos(4_210_000_000),
            cpu_of_interval: Nanos(3_400_000),
            interval: Nanos(SECOND),
            resident: Some(23_400_000),
        },
        ..OwnCost::default()
    }
}

fn measured() -> OwnCost {
    let runs = |count, time| Runs {
        count,
        time: Nanos(time),
    };
    let latest = Measurement {
        over: Nanos(SECOND),
        runs: BTreeMap::from([
            (ProgramPurpose::Pins, runs(251_000, 91_300_000)),
            (ProgramPurpose::Findings, runs(1834, 512_000)),
            (ProgramPurpose::Processes, runs(12, 9_100)),
            (ProgramPurpose::Scan, runs(0, 0)),
        ]),
    };
    OwnCost {
        run_time: RunTime {
            statistics: Statistics::Sampled,
            total: latest.clone(),
            latest: Some(latest),
            ended: Nanos(988 * SECOND),
        },
        ..unmeasured()
    }
}

fn refused() -> OwnCost {
    let why = "enabling the kernel's BPF statistics needs CAP_SYS_ADMIN, which pintrace does not have. An administrator \
               can enable them by sysctl kernel.bpf_stats_enabled=1.";
    OwnCost {
        run_time: RunTime {
            statistics: Statistics::Refused(why.to_owned()),
            ..RunTime::default()
        },
        ..unmeasured()
    }
}

#[test]
fn the_own_cost_is_shown_with_figures_without_statistics_and_before_the_first_measurement() {
    for (name, cost) in [
        ("measured", Some(measured())),
        ("refused", Some(refused())),
        ("unmeasured", Some(unmeasured())),
        ("first", None),
    ] {
        for size in [SMALL, CLASSIC, WIDE] {
            let (width, height) = size;
            let buffer = screen(with(cost.clone()), size, "u", true);
            assert_screen(&format!("own-cost-{name}-{width}x{height}"), &buffer);
        }
    }
}

#[test]
fn the_own_cost_covers_the_findings_and_is_left_by_its_key_or_escape() {
    let text = |keys: &str| rows(&screen(with(Some(measured())), CLASSIC, keys, true)).join("\n");
    assert_eq!(text("u⎋"), text(""));
    assert_eq!(text("uu"), text(""));
    assert_eq!(text("fu⎋"), text("f"));
    assert_eq!(text("uf"), text("f"));
    assert_eq!(text("?u"), text("u"));
    assert_ne!(text("u"), text(""));
    // Keys of the processes do nothing here.
    assert_eq!(text("u⏎/x"), text("u"));
}

#[test]
fn the_own_cost_can_be_scrolled_and_drawn_at_every_size() {
    let top = rows(&screen(with(Some(measured())), SMALL, "u", true)).join("\n");
    let end = rows(&screen(with(Some(measured())), SMALL, "uG", true)).join("\n");
    assert!(top.contains("total") && end.contains(".bss"), "{top}\n{end}");
    for width in (40..130).step_by(7) {
        for cost in [Some(measured()), Some(refused()), None] {
            screen(with(cost), (width, 10), "uG", true);
        }
    }
}
