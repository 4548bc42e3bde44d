//! Tries each hook on the running kernel, and stores each outcome for [`pintrace_kernel::capture`].

use aya::Ebpf;

use pintrace_scan::object::Object;
use pintrace_source::ended_calls::EndedCalls;
use pintrace_source::ledger_repair::LedgerRepair;

use crate::pipeline::loader_btf;
use pintrace_kernel::capture::{Capture, TriedHook};
use pintrace_kernel::facts::Kernel;
use pintrace_kernel::layout;
use pintrace_probes::apply;
use pintrace_probes::load::{self, Layouts, LoadError, Loaded};
use pintrace_probes::options::{FindingsFrom, LoadOptions, WantedFindings};
use pintrace_probes::outcome::{HookOutcome, HookStatus};

/// Why the hooks could not be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum TryHooksError {
    /// The layout of the kernel is unknown.
    #[error(transparent)]
    Layout(#[from] layout::UnknownLayout),
    /// The programs could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Attaches all hooks, fills in the outcomes, and detaches.
pub(super) fn run(capture: &mut Capture, kernel: &Kernel) -> Result<(), TryHooksError> {
    let layouts = Layouts::of(kernel)?;
    let btf = loader_btf::of(&kernel.types);
    // Load also the programs that an option enables.
    let options = LoadOptions {
        findings: Some(WantedFindings {
            foll_get: true,
            all_windows: true,
            ..WantedFindings::default()
        }),
        ..LoadOptions::default()
    };
    let Loaded { mut ebpf, backups } = load::load(&kernel.facts, &layouts, &btf, &options)?;
    let plan = apply::plan(&kernel.facts, &layouts, &options);
    let outcomes = apply::attach(&mut ebpf, &btf, plan, backups, FindingsFrom::Start);
    capture.hooks = outcomes.iter().map(tried).collect();
    capture.verified = outcomes
        .iter()
        .flat_map(programs)
        .filter_map(|program| Some((program.to_owned(), verified(&ebpf, program)?)))
        .collect();
    // Add the programs that user space runs.
    let repair = LedgerRepair::take(&mut ebpf, 1 << layouts.ledger.page_struct_shift);
    if repair.is_ok() {
        let ended = EndedCalls::take(&mut ebpf).ok().map(|_| &EndedCalls::PROGRAM);
        let programs = LedgerRepair::PROGRAMS.iter().chain(ended);
        capture
            .verified
            .extend(programs.filter_map(|program| Some(((*program).to_owned(), verified(&ebpf, program)?))));
    }
    if let Ok(layout) = pintrace_kernel::scan_layout::layout(&kernel.types)
        && let Ok(object) = Object::load(layout.facts, &kernel.types, &btf)
    {
        capture.verified.extend(object.verified());
    }
    Ok(())
}

fn tried(outcome: &HookOutcome) -> TriedHook {
    let how = match &outcome.status {
        HookStatus::Attached(candidate) | HookStatus::Waiting(candidate) => {
            let methods = candidate.attachments.iter().map(|one| one.method.as_str());
            let methods = methods.collect::<Vec<_>>().join("+");
            if outcome.has_backups {
                format!("{methods} x2")
            } else {
                methods
            }
        }
        HookStatus::NotHere => "absent".to_owned(),
        HookStatus::NotNeeded | HookStatus::Shed => "not_needed".to_owned(),
        HookStatus::Missing(_) => "missing".to_owned(),
    };
    TriedHook {
        function: outcome.hook.function.to_owned(),
        purposes: outcome
            .hook
            .purposes
            .iter()
            .map(|purpose| purpose.as_str().to_owned())
            .collect(),
        how,
        refused: outcome.refused.clone(),
    }
}

/// Returns all attached programs of a hook.
fn programs(outcome: &HookOutcome) -> Vec<&'static str> {
    let Some(candidate) = outcome.candidate() else {
        return Vec::new();
    };
    let backups = |all: &'static [&'static str]| if outcome.has_backups { all } else { &[] };
    candidate
        .attachments
        .iter()
        .flat_map(|one| {
            [one.program]
                .into_iter()
                .chain(backups(one.backups).iter().copied())
        })
        .collect()
}

fn verified(ebpf: &Ebpf, program: &str) -> Option<u32> {
    let info = ebpf.program(program)?.info().ok()?;
    info.verified_instruction_count()
}
