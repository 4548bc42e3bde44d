//! The runs of the BPF programs that this process has open, by purpose.

use std::collections::{BTreeMap, HashMap};

use pintrace_bpf::own_objects::{ObjectKind, OwnObject};
use pintrace_bpf::prog_info;
use pintrace_events::units::Nanos;
use pintrace_model::own_cost::{ProgramPurpose, Runs};
use pintrace_probes::table::Purpose;

/// Runs since the load, by the id of the program.
pub(super) type Counts = BTreeMap<u32, (ProgramPurpose, Runs)>;

/// Reads the runs of programs.
#[derive(Debug, Default)]
pub(super) struct Programs {
    /// Purposes of the attached programs, by id. All other programs are run by pintrace itself.
    attached: HashMap<u32, ProgramPurpose>,
}

impl Programs {
    pub(super) fn new(attached: impl IntoIterator<Item = (u32, Purpose)>) -> Self {
        let attached = attached.into_iter();
        Self {
            attached: attached.map(|(id, purpose)| (id, of_hook(purpose))).collect(),
        }
    }

    /// Returns the runs now. A program that was closed meanwhile is left out.
    pub(super) fn counts(&self, objects: &[OwnObject]) -> Counts {
        let programs = objects.iter().filter(|object| object.kind == ObjectKind::Program);
        let runs = programs.filter_map(|program| {
            let runs = prog_info::runs(program.descriptor).ok()?;
            (runs.id == program.id).then_some((runs.id, runs))
        });
        runs.map(|(id, runs)| {
            let purpose = self.attached.get(&id).copied().unwrap_or(ProgramPurpose::Scan);
            let time = Nanos(u64::try_from(runs.time.as_nanos()).unwrap_or(u64::MAX));
            let count = runs.count;
            (id, (purpose, Runs { count, time }))
        })
        .collect()
    }
}

/// Returns the runs between two readings, by purpose. A program counts if both readings have it.
pub(super) fn between(before: &Counts, after: &Counts) -> BTreeMap<ProgramPurpose, Runs> {
    let mut sums: BTreeMap<ProgramPurpose, Runs> = BTreeMap::new();
    for (id, (purpose, now)) in after {
        let Some((_, then)) = before.get(id) else { continue };
        sums.entry(*purpose).or_default().add(Runs {
            count: now.count.saturating_sub(then.count),
            time: now.time.since(then.time),
        });
    }
    sums
}

const fn of_hook(purpose: Purpose) -> ProgramPurpose {
    match purpose {
        Purpose::Acquire | Purpose::Retry | Purpose::Release | Purpose::Time | Purpose::Register => {
            ProgramPurpose::Pins
        }
        Purpose::Exit | Purpose::Exec => ProgramPurpose::Processes,
        Purpose::Copy | Purpose::Fork | Purpose::Mapping | Purpose::Window | Purpose::Reference => {
            ProgramPurpose::Findings
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_of_both_readings_count_and_no_difference_is_negative() {
        let runs = |count, time| Runs {
            count,
            time: Nanos(time),
        };
        let before = Counts::from([
            (1, (ProgramPurpose::Pins, runs(5, 50))),
            (2, (ProgramPurpose::Pins, runs(1, 10))),
            (3, (ProgramPurpose::Scan, runs(9, 90))),
        ]);
        let after = Counts::from([
            (1, (ProgramPurpose::Pins, runs(7, 80))),
            (2, (ProgramPurpose::Pins, runs(0, 0))),
            (4, (ProgramPurpose::Findings, runs(100, 100))),
        ]);
        assert_eq!(
            between(&before, &after),
            BTreeMap::from([(ProgramPurpose::Pins, runs(2, 30))])
        );
    }

    #[test]
    fn every_purpose_of_the_hook_table_has_one_of_the_own_cost() {
        for purpose in pintrace_probes::table::HOOKS
            .iter()
            .flat_map(|hook| hook.purposes)
        {
            let shown = of_hook(*purpose);
            assert!(shown.is_hook(), "{purpose:?}");
            assert_eq!(
                purpose.is_for_findings(),
                shown == ProgramPurpose::Findings,
                "{purpose:?}"
            );
        }
    }
}
