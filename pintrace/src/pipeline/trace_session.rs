//! A kernel whose functions are traced, as a stream of events.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Instant;

use pintrace_common::counters::Loss;
use pintrace_common::scan::PAGE_STRUCT;
use tokio::io::unix::AsyncFd;

use crate::pipeline::loader_btf;
use pintrace_events::{Body, Event, MissingHook, Probe, Started, Stopped};
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_probes::apply::{self, HookOutcome, HookStatus};
use pintrace_scan::scanner::Scanner;
use pintrace_source::baseline::Adjustment;
use pintrace_source::ledger_repair::LedgerRepair;
use pintrace_source::trace_source::TraceSource;
use pintrace_tracker::names::Names;
use pintrace_tracker::tracker::Tracker;

use super::start::{Mode, SessionError, SessionOptions};
use super::stream_header::{self, now};
use pintrace_tracker::reconcile::Reconciler;

/// A traced kernel that tells what happens.
pub struct TraceSession {
    source: TraceSource,
    tracker: Tracker,
    emitted_losses: BTreeMap<String, u64>,
    /// Records lost so far, when the tables were last read whole.
    resynced_at: u64,
    unwritten: u64,
    stopping: bool,
    /// The scan beside the events, where there is one.
    reconciler: Option<Reconciler>,
}

impl TraceSession {
    /// Attaches everything. The first events are ready.
    pub fn start(
        kernel: Kernel,
        roots: &Roots,
        options: &SessionOptions,
    ) -> Result<(Self, Vec<Event>), SessionError> {
        let btf = loader_btf::of(&kernel.types);
        // First, because it pins a page of its own.
        let scanner = match options.mode {
            Mode::Auto => Some(Scanner::start(&kernel.types, &btf, roots)),
            Mode::Trace | Mode::Scan => None,
        };
        let mut source = TraceSource::start(&kernel, &btf, roots, &options.load)?;
        let reconciler = scanner.map(|scanner| reconciler(scanner?, &mut source, options));
        let probes = apply::attachments(source.outcomes())
            .map(|(hook, attachment)| Probe {
                purpose: apply::purpose_of(hook, attachment).as_str().to_owned(),
                function: hook.function.to_owned(),
                method: attachment.method.as_str().to_owned(),
            })
            .collect();
        let mut missing = missing(source.outcomes());
        let reconciler = match reconciler {
            Some(Ok(reconciler)) => Some(reconciler),
            Some(Err(why)) => {
                missing.push(MissingHook {
                    function: "struct pages".to_owned(),
                    why: why.to_string(),
                    lost: "whose the pins are that are taken before the start; what is lost is not set right"
                        .to_owned(),
                });
                None
            }
            None => None,
        };
        let mode = if reconciler.is_some() { "both" } else { "trace" };
        let started = Started {
            mode: mode.to_owned(),
            without_findings: without_findings(source.outcomes(), options.load.findings.is_some()),
            exclusive_pages: kernel.types.has_enumerator("pageflags", "PG_anon_exclusive"),
            probes,
            missing,
            command: options.command.clone(),
            ..stream_header::started(&kernel.facts, roots)
        };
        let mut session = Self {
            source,
            tracker: Tracker::new(roots.proc.clone(), Names::new(kernel.symbols)),
            emitted_losses: BTreeMap::new(),
            resynced_at: 0,
            unwritten: 0,
            stopping: false,
            reconciler,
        };
        let mut events = vec![Event {
            time: now(),
            body: Body::Started(started),
        }];
        if session.source.preexisting_held() != Some(0)
            && let Some(reconciler) = &mut session.reconciler
        {
            reconciler.open(session.source.ledger(), &mut session.tracker)?;
        }
        events.extend(session.tick()?);
        Ok((session, events))
    }

    /// What was attached, and what was not.
    pub fn outcomes(&self) -> &[HookOutcome] {
        self.source.outcomes()
    }

    /// Readable when the kernel has something to tell before the next tick.
    pub fn poll_ring(&self) -> std::io::Result<AsyncFd<OwnedFd>> {
        self.source.poll_ring()
    }

    /// Counts events that a recording could not take.
    pub fn count_unwritten(&mut self, total: u64) {
        self.unwritten = total;
    }

    /// What the kernel has told since the last call.
    pub fn drain(&mut self) -> Result<Vec<Event>, SessionError> {
        let now = now();
        let records = self.source.drain();
        let lost = self.source.ledger().loss(Loss::RingFull)?;
        self.tracker.reading(now, lost != self.resynced_at);
        for record in records {
            self.tracker.record(&record, self.source.ledger())?;
        }
        Ok(self.tracker.take_events())
    }

    /// Everything that changed, and the moment's balance and loss; ends with a tick.
    pub fn tick(&mut self) -> Result<Vec<Event>, SessionError> {
        let mut events = self.sample()?;
        events.push(Event {
            time: now(),
            body: Body::Tick,
        });
        Ok(events)
    }

    /// The same between two ticks, by which rates go on.
    pub fn sample(&mut self) -> Result<Vec<Event>, SessionError> {
        // The tables are read after the ring: what is sampled has been told to exist.
        let mut events = self.drain()?;
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.settle()?;
            events.extend(reconciler.resume(now(), self.source.ledger())?);
            reconciler.adjust(self.source.ledger(), self.source.preexisting_held().unwrap_or(0))?;
        }
        let mut balance = self.source.balance(self.adjustment())?;
        let now = now();
        self.tracker.sample(now, self.stopping, self.source.ledger())?;
        self.tracker.sample_mm_events(now, &mut self.source)?;
        let losses = self.losses()?;
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.apply_to(&mut balance, &self.tracker);
            if reconciler.is_needed(&balance, &losses) {
                events.extend(reconciler.begin(now, &losses)?);
                reconciler.adjust(self.source.ledger(), balance.preexisting_held)?;
                balance = self.source.balance(reconciler.adjustment())?;
                self.tracker.sample(now, self.stopping, self.source.ledger())?;
                reconciler.apply_to(&mut balance, &self.tracker);
            }
        }
        let lost_records = losses.get(Loss::RingFull.name()).copied().unwrap_or(0);
        if lost_records != self.resynced_at {
            self.tracker.resync(now, self.source.ledger())?;
            self.resynced_at = lost_records;
        }
        self.tracker.close_accounts(now, self.source.ledger_mut())?;
        events.extend(self.tracker.take_events());
        events.push(Event {
            time: now,
            body: Body::BalanceSampled(balance),
        });
        if losses != self.emitted_losses {
            self.emitted_losses.clone_from(&losses);
            events.push(Event {
                time: now,
                body: Body::LossSampled(losses),
            });
        }
        Ok(events)
    }

    /// When a sample is due that does not wait for the next tick.
    pub fn due(&self) -> Option<Instant> {
        self.reconciler.as_ref().and_then(Reconciler::due)
    }

    /// Begins to end: a sample after which, for as long as [`Self::is_reconciling`], others are to come before the last.
    pub fn close(&mut self) -> Result<Vec<Event>, SessionError> {
        // What is lost is known for certain at the second look.
        self.source.losses()?;
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.end();
        }
        self.sample()
    }

    /// Whether the ledger is being set right.
    pub fn is_reconciling(&self) -> bool {
        self.reconciler.as_ref().is_some_and(Reconciler::is_running)
    }

    /// The last events.
    pub fn stop(&mut self, stopped: Stopped) -> Result<Vec<Event>, SessionError> {
        self.stopping = true;
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.close();
        }
        let mut events = self.tick()?;
        events.push(Event {
            time: now(),
            body: Body::Stopped(stopped),
        });
        Ok(events)
    }

    /// Whether a process that has ended still holds pins, as far as the last tick told.
    pub fn ended_hold(&self) -> bool {
        self.tracker.ended_hold()
    }

    /// Pages pinned and released so far, to see whether anything is still going on.
    pub fn activity(&self) -> Result<u64, SessionError> {
        let totals = self.source.totals()?;
        Ok(totals
            .acquired
            .wrapping_add(totals.released)
            .wrapping_add(totals.preexisting_released))
    }

    fn adjustment(&self) -> Adjustment {
        self.reconciler
            .as_ref()
            .map(Reconciler::adjustment)
            .unwrap_or_default()
    }

    fn losses(&mut self) -> Result<BTreeMap<String, u64>, SessionError> {
        let counted = self.source.losses()?;
        let own = |loss: Loss, count: u64| match loss {
            Loss::NameUnread => self.tracker.unread(),
            Loss::StackLost => count + self.tracker.stackless(),
            Loss::EventUnwritten => self.unwritten,
            _ => count,
        };
        Ok(counted
            .into_iter()
            .map(|(loss, count)| (loss.name().to_owned(), own(loss, count)))
            .filter(|(_, count)| *count != 0)
            .collect())
    }
}

/// The scan for a ledger.
fn reconciler(
    scanner: Scanner,
    source: &mut TraceSource,
    options: &SessionOptions,
) -> Result<Reconciler, SessionError> {
    let repair = LedgerRepair::take(source.ebpf_mut(), PAGE_STRUCT as u64)?;
    Ok(Reconciler::new(scanner, repair, options.scan_budget))
}

/// What could not be hooked, and nothing stands in for.
fn missing(outcomes: &[HookOutcome]) -> Vec<MissingHook> {
    let stood_in_for = |function: &str| {
        outcomes.iter().any(|outcome| {
            outcome.hook.stands_in_for == Some(function) && matches!(outcome.status, HookStatus::Attached(_))
        })
    };
    outcomes
        .iter()
        .filter(|outcome| !stood_in_for(outcome.hook.function))
        .filter_map(|outcome| match &outcome.status {
            HookStatus::Missing(why) => Some(MissingHook {
                function: outcome.hook.function.to_owned(),
                why: why.clone(),
                lost: outcome.hook.lost.to_owned(),
            }),
            _ => None,
        })
        .collect()
}

/// Why nothing looks for findings; empty if something does.
fn without_findings(outcomes: &[HookOutcome], wanted: bool) -> String {
    if !wanted {
        return "--no-findings".to_owned();
    }
    let mut finding_hooks = outcomes.iter().filter(|outcome| outcome.hook.is_for_findings());
    let mut first = String::new();
    let attached = finding_hooks.any(|outcome| match &outcome.status {
        HookStatus::Attached(_) => true,
        HookStatus::Missing(why) if first.is_empty() => {
            first.clone_from(why);
            false
        }
        _ => false,
    });
    match (attached, first.is_empty()) {
        (true, _) => String::new(),
        (false, true) => "it has none of the functions".to_owned(),
        (false, false) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintrace_model::finding::FindingKind;
    use pintrace_probes::table::{HOOKS, Hook};

    /// Every hook, with a status that depends on whether it looks for findings.
    fn outcomes(finding_hooks: impl Fn(usize) -> HookStatus) -> Vec<HookOutcome> {
        let status = |(at, hook): (usize, &'static Hook)| HookOutcome {
            hook,
            status: if hook.is_for_findings() {
                finding_hooks(at)
            } else {
                HookStatus::Attached(&hook.candidates[0])
            },
            has_backups: false,
            refused: Vec::new(),
        };
        HOOKS.iter().enumerate().map(status).collect()
    }

    #[test]
    fn every_purpose_that_a_finding_needs_is_a_hooks_purpose() {
        let covered: Vec<&str> = HOOKS
            .iter()
            .flat_map(|hook| hook.purposes)
            .map(|purpose| purpose.as_str())
            .collect();
        for purpose in FindingKind::ALL.iter().flat_map(|kind| kind.needs()) {
            assert!(covered.contains(purpose), "{purpose}");
        }
    }

    #[test]
    fn it_is_said_why_nothing_looks_for_findings() {
        let refused = outcomes(|at| HookStatus::Missing(format!("refusal {at}")));
        assert!(without_findings(&refused, true).starts_with("refusal "));
        assert_eq!(
            without_findings(&outcomes(|_| HookStatus::NotHere), true),
            "it has none of the functions"
        );
        assert_eq!(without_findings(&[], false), "--no-findings");
        let some = outcomes(|at| match at % 2 {
            0 => HookStatus::Attached(&HOOKS[at].candidates[0]),
            _ => HookStatus::Missing("refusal".to_owned()),
        });
        assert_eq!(without_findings(&some, true), "");
    }
}
