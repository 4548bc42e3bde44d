//! Attaches the hooks that wait until memory is pinned ([`pintrace_probes::table::Hook::waits_for`]).
//!
//! Each attached program costs every process that calls the function some 200 instructions (`__bpf_prog_enter_recur`,
//! kernel/bpf/trampoline.c). Faults, unmappings and forks are frequent on machines that pin nothing.

use pintrace_probes::apply;
use pintrace_probes::outcome::HookStatus;
use pintrace_probes::table::{Hook, WaitsFor};

use super::TraceSource;
use crate::ledger::LedgerError;

/// The finding hooks that were due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The kernel functions of the hooks.
    pub functions: Vec<&'static str>,
    /// Other hooks still wait.
    pub others_wait: bool,
}

impl TraceSource {
    /// Returns true if a finding hook waits for pins.
    pub fn findings_wait(&self) -> bool {
        self.waiting().any(Hook::is_for_findings)
    }

    fn waiting(&self) -> impl Iterator<Item = &'static Hook> {
        let waiting = self
            .outcomes
            .iter()
            .filter(|outcome| matches!(outcome.status, HookStatus::Waiting(_)));
        waiting.map(|outcome| outcome.hook)
    }

    /// Attaches the hooks whose pins have come. Returns `None` if no finding hook was due. The outcomes tell which of the
    /// hooks the kernel refused.
    pub fn attach_due(&mut self) -> Result<Option<Due>, LedgerError> {
        if self.waiting().next().is_none() {
            return Ok(None);
        }
        let came = self.ledger.has_pins()?;
        let functions = self.attach_for(|pins| match pins {
            WaitsFor::Pin => came.pin,
            WaitsFor::Extent => came.extent,
            WaitsFor::UntimedCall => came.untimed_call,
        });
        Ok((!functions.is_empty()).then(|| Due {
            functions,
            others_wait: self.findings_wait(),
        }))
    }

    /// Detaches one of the finding hooks that could have waited, to save its cost. Returns true if others are attached.
    pub fn shed_one(&mut self) -> bool {
        apply::shed_one(&mut self.ebpf, &mut self.outcomes)
    }

    /// Attaches all hooks that wait for pins, since there are pins older than the hooks.
    pub(super) fn attach_all(&mut self) {
        self.attach_for(|pins| pins != WaitsFor::UntimedCall);
    }

    /// Attaches the hooks that wait for pins that `came` names, and returns the functions of the finding hooks among them.
    fn attach_for(&mut self, came: impl Fn(WaitsFor) -> bool) -> Vec<&'static str> {
        let due: Vec<_> = self
            .waiting()
            .filter(|hook| hook.waits_for().is_some_and(&came))
            .collect();
        if !due.is_empty() {
            apply::attach_waiting(&mut self.ebpf, &mut self.outcomes, came);
        }
        let findings = due.into_iter().filter(|hook| hook.is_for_findings());
        findings.map(|hook| hook.function).collect()
    }
}
