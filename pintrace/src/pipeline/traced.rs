//! A kernel whose functions are traced, as a stream of events.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Instant;

use pintrace_common::counters::Loss;
use pintrace_common::scan::PAGE_STRUCT;
use tokio::io::unix::AsyncFd;

use crate::pipeline::loader_btf;
use pintrace_events::{Body, Event, Missing, Probe, Started, Stopped};
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_probes::apply::{self, Outcome, Status};
use pintrace_scan::scanner::Scanner;
use pintrace_source::live::Live;
use pintrace_source::mender::Mender;
use pintrace_source::truth::Healed;
use pintrace_tracker::names::Names;
use pintrace_tracker::tracker::Tracker;

use super::origin::{self, now};
use super::start::{SessionError, SessionOptions, Witness};
use pintrace_tracker::mending::Mending;

/// A traced kernel that tells what happens.
pub struct Traced {
    live: Live,
    tracker: Tracker,
    told_losses: BTreeMap<String, u64>,
    /// Records lost so far, when the tables were last read whole.
    resynced_at: u64,
    unwritten: u64,
    stopping: bool,
    /// The state witness beside the events, where there is one.
    mending: Option<Mending>,
}

impl Traced {
    /// Attaches everything. The first events are ready.
    pub fn start(
        kernel: Kernel,
        roots: &Roots,
        options: &SessionOptions,
    ) -> Result<(Self, Vec<Event>), SessionError> {
        let btf = loader_btf::of(&kernel.types);
        // First, because it pins a page of its own.
        let scanner = match options.witness {
            Witness::Auto => Some(Scanner::start(&kernel.types, &btf, roots)),
            Witness::Events | Witness::State => None,
        };
        let mut live = Live::start(&kernel, &btf, roots, &options.load)?;
        let mending = scanner.map(|scanner| mending(scanner?, &mut live, options));
        let probes = apply::attachments(live.outcomes())
            .map(|(hook, attachment)| Probe {
                purpose: apply::purpose_of(hook, attachment).as_str().to_owned(),
                function: hook.function.to_owned(),
                method: attachment.method.as_str().to_owned(),
            })
            .collect();
        let mut missing = missing(live.outcomes());
        let mending = match mending {
            Some(Ok(mending)) => Some(mending),
            Some(Err(why)) => {
                missing.push(Missing {
                    function: "struct pages".to_owned(),
                    why: why.to_string(),
                    lost: "whose the pins are that are older than the start; what is lost is not set right"
                        .to_owned(),
                });
                None
            }
            None => None,
        };
        let witness = if mending.is_some() { "both" } else { "events" };
        let started = Started {
            witness: witness.to_owned(),
            without_findings: unwatched(live.outcomes(), options.load.findings.is_some()),
            exclusive_pages: kernel.types.has_enumerator("pageflags", "PG_anon_exclusive"),
            probes,
            missing,
            command: options.command.clone(),
            ..origin::started(&kernel.facts, roots)
        };
        let mut session = Self {
            live,
            tracker: Tracker::new(roots.proc.clone(), Names::new(kernel.symbols)),
            told_losses: BTreeMap::new(),
            resynced_at: 0,
            unwritten: 0,
            stopping: false,
            mending,
        };
        let mut events = vec![Event {
            time: now(),
            body: Body::Started(started),
        }];
        if session.live.opening_held() != Some(0)
            && let Some(mending) = &mut session.mending
        {
            mending.open(session.live.ledger(), &mut session.tracker)?;
        }
        events.extend(session.tick()?);
        Ok((session, events))
    }

    /// What was attached, and what was not.
    pub fn outcomes(&self) -> &[Outcome] {
        self.live.outcomes()
    }

    /// Readable when the kernel has something to tell before the next tick.
    pub fn watch_ring(&self) -> std::io::Result<AsyncFd<OwnedFd>> {
        self.live.watch_ring()
    }

    /// Counts events that a recording could not take.
    pub fn count_unwritten(&mut self, total: u64) {
        self.unwritten = total;
    }

    /// What the kernel has told since the last call.
    pub fn drain(&mut self) -> Result<Vec<Event>, SessionError> {
        let now = now();
        let records = self.live.drain();
        let lost = self.live.ledger().loss(Loss::RingFull)?;
        self.tracker.reading(now, lost != self.resynced_at);
        for record in records {
            self.tracker.record(&record, self.live.ledger())?;
        }
        Ok(self.tracker.take_events())
    }

    /// Everything that changed, and the moment's truth and loss; ends with a tick.
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
        if let Some(mending) = &mut self.mending {
            mending.settle()?;
            events.extend(mending.go_on(now(), self.live.ledger())?);
            mending.sum_up(self.live.ledger(), self.live.opening_held().unwrap_or(0))?;
        }
        let mut truth = self.live.truth(self.healed())?;
        let now = now();
        self.tracker.sample(now, self.stopping, self.live.ledger())?;
        self.tracker.sample_watch(now, &mut self.live)?;
        let losses = self.losses()?;
        if let Some(mending) = &mut self.mending {
            mending.amend(&mut truth, &self.tracker);
            if mending.is_in_doubt(&truth, &losses) {
                events.extend(mending.begin(now, &losses)?);
                mending.sum_up(self.live.ledger(), truth.opening_held)?;
                truth = self.live.truth(mending.healed())?;
                self.tracker.sample(now, self.stopping, self.live.ledger())?;
                mending.amend(&mut truth, &self.tracker);
            }
        }
        let lost_records = losses.get(Loss::RingFull.name()).copied().unwrap_or(0);
        if lost_records != self.resynced_at {
            self.tracker.resync(now, self.live.ledger())?;
            self.resynced_at = lost_records;
        }
        self.tracker.close_accounts(now, self.live.ledger_mut())?;
        events.extend(self.tracker.take_events());
        events.push(Event {
            time: now,
            body: Body::TruthSampled(truth),
        });
        if losses != self.told_losses {
            self.told_losses.clone_from(&losses);
            events.push(Event {
                time: now,
                body: Body::LossSampled(losses),
            });
        }
        Ok(events)
    }

    /// When a sample is due that does not wait for the next tick.
    pub fn due(&self) -> Option<Instant> {
        self.mending.as_ref().and_then(Mending::due)
    }

    /// Begins to end: a sample after which, for as long as [`Self::is_mending`], others are to come before the last.
    pub fn close(&mut self) -> Result<Vec<Event>, SessionError> {
        // What is lost is known for certain at the second look.
        self.live.losses()?;
        if let Some(mending) = &mut self.mending {
            mending.end();
        }
        self.sample()
    }

    /// Whether the ledger is being set right.
    pub fn is_mending(&self) -> bool {
        self.mending.as_ref().is_some_and(Mending::is_under_way)
    }

    /// The last events.
    pub fn stop(&mut self, stopped: Stopped) -> Result<Vec<Event>, SessionError> {
        self.stopping = true;
        if let Some(mending) = &mut self.mending {
            mending.close();
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
        let totals = self.live.totals()?;
        Ok(totals
            .acquired
            .wrapping_add(totals.released)
            .wrapping_add(totals.opening_released))
    }

    fn healed(&self) -> Healed {
        self.mending.as_ref().map(Mending::healed).unwrap_or_default()
    }

    fn losses(&mut self) -> Result<BTreeMap<String, u64>, SessionError> {
        let counted = self.live.losses()?;
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

/// The state witness for a ledger.
fn mending(scanner: Scanner, live: &mut Live, options: &SessionOptions) -> Result<Mending, SessionError> {
    let mender = Mender::take(live.ebpf_mut(), PAGE_STRUCT as u64)?;
    Ok(Mending::new(scanner, mender, options.scan_budget))
}

/// What could not be hooked, and nothing stands in for.
fn missing(outcomes: &[Outcome]) -> Vec<Missing> {
    let stood_in_for = |function: &str| {
        outcomes.iter().any(|outcome| {
            outcome.hook.stands_in_for == Some(function) && matches!(outcome.status, Status::Attached(_))
        })
    };
    outcomes
        .iter()
        .filter(|outcome| !stood_in_for(outcome.hook.function))
        .filter_map(|outcome| match &outcome.status {
            Status::Missing(why) => Some(Missing {
                function: outcome.hook.function.to_owned(),
                why: why.clone(),
                lost: outcome.hook.lost.to_owned(),
            }),
            _ => None,
        })
        .collect()
}

/// Why nothing looks for findings; empty if something does.
fn unwatched(outcomes: &[Outcome], wanted: bool) -> String {
    if !wanted {
        return "--no-findings".to_owned();
    }
    let mut watching = outcomes.iter().filter(|outcome| outcome.hook.is_watch());
    let mut first = String::new();
    let attached = watching.any(|outcome| match &outcome.status {
        Status::Attached(_) => true,
        Status::Missing(why) if first.is_empty() => {
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
    fn outcomes(watching: impl Fn(usize) -> Status) -> Vec<Outcome> {
        let status = |(at, hook): (usize, &'static Hook)| Outcome {
            hook,
            status: if hook.is_watch() {
                watching(at)
            } else {
                Status::Attached(&hook.candidates[0])
            },
            twice: false,
            refused: Vec::new(),
        };
        HOOKS.iter().enumerate().map(status).collect()
    }

    #[test]
    fn what_a_finding_needs_is_what_hooks_serve() {
        let served: Vec<&str> = HOOKS
            .iter()
            .flat_map(|hook| hook.purposes)
            .map(|purpose| purpose.as_str())
            .collect();
        for purpose in FindingKind::ALL.iter().flat_map(|kind| kind.needs()) {
            assert!(served.contains(purpose), "{purpose}");
        }
    }

    #[test]
    fn it_is_said_why_nothing_looks_for_findings() {
        let refused = outcomes(|at| Status::Missing(format!("refusal {at}")));
        assert!(unwatched(&refused, true).starts_with("refusal "));
        assert_eq!(
            unwatched(&outcomes(|_| Status::NotHere), true),
            "it has none of the functions"
        );
        assert_eq!(unwatched(&[], false), "--no-findings");
        let some = outcomes(|at| match at % 2 {
            0 => Status::Attached(&HOOKS[at].candidates[0]),
            _ => Status::Missing("refusal".to_owned()),
        });
        assert_eq!(unwatched(&some, true), "");
    }
}
