//! The start of a trace session.

use std::collections::BTreeMap;

use pintrace_common::scan::PAGE_STRUCT;
use pintrace_events::{Body, Event, MissingHook, Probe, Started};
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_kernel::pid_namespace;
use pintrace_probes::outcome;
use pintrace_scan::scanner::Scanner;
use pintrace_source::ledger_repair::LedgerRepair;
use pintrace_source::trace_source::{StartError, TraceSource};
use pintrace_tracker::names::Names;
use pintrace_tracker::reconcile::Reconciler;
use pintrace_tracker::tracker::Tracker;

use super::{TraceSession, coverage};
use crate::pipeline::loader_btf;
use crate::pipeline::start::{Mode, SessionError, SessionOptions};
use crate::pipeline::stream_header::{self, now};

impl TraceSession {
    /// Loads and attaches the programs, adds the preexisting pins, and returns the first events.
    pub fn start(
        kernel: Kernel,
        roots: &Roots,
        options: &SessionOptions,
    ) -> Result<(Self, Vec<Event>), SessionError> {
        if !pid_namespace::is_initial(&roots.proc) {
            return Err(StartError::PidNamespace.into());
        }
        let btf = loader_btf::of(&kernel.types);
        // The scanner starts before the trace, because the scanner pins a page of this process.
        let scanner = match options.mode {
            Mode::Auto => Some(Scanner::start(&kernel.types, &btf, roots)),
            Mode::Trace | Mode::Scan => None,
        };
        let mut source = TraceSource::start(&kernel, &btf, roots, &options.load)?;
        let reconciler = scanner.map(|scanner| reconciler(scanner?, &mut source, options));
        let probes = outcome::loaded(source.outcomes())
            .map(|(hook, attachment)| Probe {
                purpose: outcome::purpose_of(hook, attachment).as_str().to_owned(),
                function: hook.function.to_owned(),
                method: attachment.method.as_str().to_owned(),
            })
            .collect();
        let mut missing = coverage::missing(source.outcomes());
        missing.extend(coverage::unseen_paths(source.test_pins()));
        missing.extend(coverage::hidden_symbols(&kernel.symbols));
        let reconciler = match reconciler {
            Some(Ok(reconciler)) => Some(reconciler),
            Some(Err(why)) => {
                missing.push(MissingHook {
                    function: "struct pages".to_owned(),
                    why: why.to_string(),
                    lost: "the owners of preexisting pins; the ledger is not reconciled after a loss"
                        .to_owned(),
                });
                None
            }
            None => None,
        };
        let mode = if reconciler.is_some() { "both" } else { "trace" };
        let started = Started {
            mode: mode.to_owned(),
            without_findings: coverage::without_findings(source.outcomes(), options.load.findings.is_some()),
            exclusive_pages: kernel.types.has_enumerator("pageflags", "PG_anon_exclusive"),
            probes,
            missing,
            findings_wait: source.findings_wait(),
            command: options.command.clone(),
            ..stream_header::started(&kernel.facts, roots)
        };
        let names = Names::new(kernel.symbols, source.program_code());
        let mut session = Self {
            source,
            tracker: Tracker::new(roots.proc.clone(), names),
            emitted_losses: BTreeMap::new(),
            resynced_at: 0,
            sheds: false,
            drained_at: now(),
            unwritten: 0,
            stopping: false,
            reconciler,
        };
        let mut events = vec![Event {
            time: now(),
            body: Body::Started(Box::new(started)),
        }];
        if session.source.preexisting_held() != Some(0)
            && let (Some(reconciler), mut sampler) = session.sampling()
        {
            reconciler.add_preexisting(&mut sampler)?;
        }
        events.extend(session.tick()?);
        Ok((session, events))
    }
}

/// Returns the reconciler of a trace.
fn reconciler(
    scanner: Scanner,
    source: &mut TraceSource,
    options: &SessionOptions,
) -> Result<Reconciler, SessionError> {
    let repair = LedgerRepair::take(source.ebpf_mut(), PAGE_STRUCT as u64)?;
    Ok(Reconciler::new(scanner, repair, options.scan_budget))
}
