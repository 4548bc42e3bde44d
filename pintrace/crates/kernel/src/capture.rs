//! A capture has all facts about one kernel that the planner and the layouts read. `pintrace doctor --facts` prints a
//! capture, `cargo xtask facts` keeps a capture of each kernel as a fixture, and tests plan and lay out from fixtures.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pintrace_common::facts::Facts;
use pintrace_common::mm_events::MmEventFacts;
use serde::{Deserialize, Serialize};

use super::btf::Types;
use super::facts::{Kernel, KernelFacts};
use super::layout::{self, UnknownLayout};
use super::mm_event_layout;

/// The facts about one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Facts for the planner.
    pub kernel: KernelFacts,
    /// Facts for the layouts.
    pub types: Answers,
    /// The outcome of each hook that was tried; empty if no program could be loaded.
    #[serde(default)]
    pub hooks: Vec<TriedHook>,
    /// Number of instructions that the verifier followed, by program; empty before 5.16, which does not report it.
    #[serde(default)]
    pub verified: BTreeMap<String, u32>,
}

/// The outcome of one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedHook {
    /// Kernel function, or tracepoint.
    pub function: String,
    /// Purposes of the hook.
    pub purposes: Vec<String>,
    /// The methods joined by `+`, then ` x2` if backup programs are attached; or `absent`, `not_needed`, `missing`.
    pub how: String,
    /// Why better candidates were refused.
    pub refused: Vec<String>,
}

impl Capture {
    /// Captures the facts about a kernel. `doctor/try_hooks.rs` fills in `hooks` and `verified`.
    pub fn of(kernel: &Kernel) -> Self {
        Self {
            kernel: kernel.facts.clone(),
            types: Answers::of(&kernel.types),
            hooks: Vec::new(),
            verified: BTreeMap::new(),
        }
    }

    /// Returns the facts for the finding hooks, or the fact that BTF lacks.
    pub fn mm_event_layout(&self) -> Result<MmEventFacts, UnknownLayout> {
        mm_event_layout::mm_event_facts(&self.types, |function| self.kernel.parameters(function))
    }

    /// Returns the facts for the ledger, or the fact that BTF lacks.
    pub fn layout(&self) -> Result<Facts, UnknownLayout> {
        layout::facts(&self.types, self.kernel.preemption)
    }
}

/// The questions of the layouts to BTF, with the answers; `None` if BTF has no answer. If a layout is unknown, the
/// last question is the first one without an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Values, by enumerator.
    pub enumerators: BTreeMap<String, Option<u32>>,
    /// Offsets in bytes, by `container.member`.
    pub offsets: BTreeMap<String, Option<u32>>,
    /// Sizes in bytes, by container.
    pub sizes: BTreeMap<String, Option<u32>>,
}

impl Answers {
    /// Computes all layouts from `types`, and records each question with the answer.
    pub fn of(types: &impl Types) -> Self {
        let recorder = Recorder {
            types,
            answers: RefCell::default(),
        };
        // Only the questions matter here: an unknown layout is no error.
        let _ = layout::facts(&recorder, false);
        for shape in PARAMETER_SHAPES {
            let parameters = shape.map(|(function, names)| {
                let names = names.iter().map(|&name| name.to_owned());
                (function, names.collect::<Vec<String>>())
            });
            let of = |wanted: &str| {
                let found = parameters.iter().find(|(function, _)| *function == wanted);
                found.map_or(&[][..], |(_, names)| names)
            };
            let _ = mm_event_layout::mm_event_facts(&recorder, of);
        }
        let _ = crate::scan_layout::layout(&recorder);
        recorder.answers.into_inner()
    }
}

/// Parameters of functions on different kernels: the questions depend on the parameters.
const PARAMETER_SHAPES: [[(&str, &[&str]); 2]; 2] = [
    [
        ("unmap_vmas", &["tlb", "vma"]),
        ("madvise_do_behavior", &["mm", "start"]),
    ],
    [
        ("unmap_vmas", &["tlb", "unmap"]),
        ("madvise_do_behavior", &["start", "len_in"]),
    ],
];

impl Types for Answers {
    fn offset(&self, container: &str, names: &[&str]) -> Option<u32> {
        names
            .iter()
            .find_map(|name| self.offsets.get(&member(container, name)).copied().flatten())
    }

    fn size(&self, container: &str) -> Option<u32> {
        self.sizes.get(container).copied().flatten()
    }

    fn enumerators(&self, wanted: &[&str]) -> BTreeMap<String, u32> {
        let found = wanted.iter().filter_map(|name| {
            let value = self.enumerators.get(*name).copied().flatten()?;
            Some(((*name).to_owned(), value))
        });
        found.collect()
    }
}

/// Forwards questions to `types`, and records each question with the answer.
struct Recorder<'a, T> {
    types: &'a T,
    answers: RefCell<Answers>,
}

impl<T: Types> Types for Recorder<'_, T> {
    fn offset(&self, container: &str, names: &[&str]) -> Option<u32> {
        names.iter().find_map(|name| {
            let answer = self.types.offset(container, &[name]);
            let mut answers = self.answers.borrow_mut();
            answers.offsets.insert(member(container, name), answer);
            answer
        })
    }

    fn size(&self, container: &str) -> Option<u32> {
        let answer = self.types.size(container);
        let mut answers = self.answers.borrow_mut();
        answers.sizes.insert(container.to_owned(), answer);
        answer
    }

    fn enumerators(&self, wanted: &[&str]) -> BTreeMap<String, u32> {
        let found = self.types.enumerators(wanted);
        let values = wanted
            .iter()
            .map(|name| ((*name).to_owned(), found.get(*name).copied()));
        self.answers.borrow_mut().enumerators.extend(values);
        found
    }
}

fn member(container: &str, name: &str) -> String {
    format!("{container}.{name}")
}
