//! Trying every hook on the running kernel and noting what came of it, for [`pintrace_kernel::capture`].

use aya::Ebpf;

use pintrace_scan::object::Object;
use pintrace_source::mender::Mender;

use crate::pipeline::loader_btf;
use pintrace_kernel::capture::{Capture, Tried};
use pintrace_kernel::facts::Kernel;
use pintrace_kernel::layout;
use pintrace_probes::apply::{self, Outcome, Status};
use pintrace_probes::load::{self, Layouts, LoadError, LoadOptions, Wanted};

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrialError {
    /// Layout unknown.
    #[error(transparent)]
    Layout(#[from] layout::UnknownLayout),
    /// Loading failed.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Attaches everything for a moment, and fills in what became of it.
pub(super) fn run(capture: &mut Capture, kernel: &Kernel) -> Result<(), TrialError> {
    let twice = kernel.facts.preemption;
    let layouts = Layouts::of(kernel)?;
    let btf = loader_btf::of(&kernel.types);
    // Everything that may be asked for.
    let options = LoadOptions {
        findings: Some(Wanted {
            references: true,
            ..Wanted::default()
        }),
        ..LoadOptions::default()
    };
    let mut ebpf = load::load(&kernel.facts, &layouts, &btf, &options)?;
    let plan = apply::plan(&kernel.facts, &layouts, &options);
    let outcomes = apply::attach(&mut ebpf, &btf, plan, twice);
    capture.hooks = outcomes.iter().map(tried).collect();
    capture.verified = outcomes
        .iter()
        .flat_map(programs)
        .filter_map(|program| Some((program.to_owned(), verified(&ebpf, program)?)))
        .collect();
    // What is run by hand counts too.
    let mender = Mender::take(&mut ebpf, 1 << layouts.ledger.page_struct_shift);
    if mender.is_ok() {
        let programs = Mender::PROGRAMS.iter();
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

fn tried(outcome: &Outcome) -> Tried {
    let how = match &outcome.status {
        Status::Attached(candidate) => {
            let methods = candidate.attachments.iter().map(|one| one.method.as_str());
            let methods = methods.collect::<Vec<_>>().join("+");
            if outcome.twice {
                format!("{methods} x2")
            } else {
                methods
            }
        }
        Status::NotHere => "absent".to_owned(),
        Status::NotNeeded => "spare".to_owned(),
        Status::Missing(_) => "missing".to_owned(),
    };
    Tried {
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

/// Every program of a hook that is attached.
fn programs(outcome: &Outcome) -> Vec<&'static str> {
    let Status::Attached(candidate) = outcome.status else {
        return Vec::new();
    };
    let followers = |all: &'static [&'static str]| if outcome.twice { all } else { &[] };
    candidate
        .attachments
        .iter()
        .flat_map(|one| {
            [one.program]
                .into_iter()
                .chain(followers(one.followers).iter().copied())
        })
        .collect()
}

fn verified(ebpf: &Ebpf, program: &str) -> Option<u32> {
    let info = ebpf.program(program)?.info().ok()?;
    info.verified_instruction_count()
}
