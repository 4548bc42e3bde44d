//! Collects the losses because of which a finding may be missing.

use std::borrow::Cow;

use pintrace_common::counters;
use pintrace_events::MissingHook;
use pintrace_model::snapshot::Snapshot;
use pintrace_model::suppressed;
use pintrace_probes::table::{HOOKS, Purpose};

/// One loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LossEntry {
    /// A loss counter, or `unaccounted`, `not_hooked`, `unapplied_events` or `findings_dropped`.
    pub(super) name: &'static str,
    /// The number of lost events, calls or pages.
    pub(super) amount: i128,
    /// The meaning of the loss as a sentence.
    pub(super) meaning: Cow<'static, str>,
}

/// Losses that hide no finding: a lost name or stack changes no figure, and the others concern only the times, the failures
/// and the refusals of pin calls.
const HARMLESS: [counters::Loss; 5] = [
    counters::Loss::NameUnread,
    counters::Loss::StackLost,
    counters::Loss::PinFailuresFull,
    counters::Loss::RegistrationsFull,
    counters::Loss::CallsMissed,
];

/// Returns the losses that are not 0.
pub(super) fn losses(snapshot: &Snapshot) -> Vec<LossEntry> {
    let harmless = |name: &str| HARMLESS.iter().any(|loss| loss.name() == name);
    let help = |name: &str| counters::Loss::ALL.iter().find(|loss| loss.name() == name);
    let counted = snapshot.loss.iter().filter(|(name, _)| !harmless(name));
    let counted = counted.map(|&(name, count)| LossEntry {
        name,
        amount: count.into(),
        meaning: match (suppressed::processes(&snapshot.suppressed), help(name)) {
            (Some(processes), Some(&counters::Loss::ChangesSuppressed)) => {
                let help = counters::Loss::ChangesSuppressed.help();
                Cow::Owned(format!("{help} The processes: {processes}."))
            }
            (_, loss) => loss
                .map_or("A loss unknown to this version.", |loss| loss.help())
                .into(),
        },
    });
    let balance = &snapshot.balance;
    let own = [
        LossEntry {
            name: "unaccounted",
            // 0 where /proc/vmstat cannot be read, because the difference is unknown there.
            amount: i128::from(balance.unaccounted) * i128::from(balance.vmstat_readable),
            meaning: if balance.unaccounted < 0 {
                "Pages that the ledger holds beyond /proc/vmstat: some releases were not seen.".into()
            } else {
                "Pages that /proc/vmstat holds beyond the ledger: some pins were not seen.".into()
            },
        },
        LossEntry {
            name: "not_hooked",
            amount: snapshot.started.missing.iter().filter(|one| hides(one)).count() as i128,
            meaning:
                "Kernel functions that could not be hooked, and paths whose calls reach no hook: their calls are not seen (see the warnings)."
                    .into(),
        },
        LossEntry {
            name: "unapplied_events",
            amount: snapshot.unapplied_events.into(),
            meaning: "Events that the model could not apply.".into(),
        },
        LossEntry {
            name: "findings_dropped",
            amount: snapshot.findings_dropped.into(),
            meaning: "Findings that found no room, or gave way to a more severe finding.".into(),
        },
    ];
    let mut losses: Vec<_> = counted.chain(own).collect();
    losses.retain(|loss| loss.amount != 0);
    losses
}

/// Returns true if a finding may be missing because a function could not be hooked. A missing hook of the purpose
/// `retry`, `time` or `register` hides no finding: such hooks only make figures exact, and `unaccounted` shows inexact figures. An entry without
/// a function stands for a path whose pins or releases reach no hook.
fn hides(missing: &MissingHook) -> bool {
    missing.function.is_empty()
        || HOOKS
            .iter()
            .filter(|hook| hook.function == missing.function)
            .any(|hook| {
                hook.purposes
                    .iter()
                    .any(|purpose| !matches!(purpose, Purpose::Retry | Purpose::Time | Purpose::Register))
            })
}
