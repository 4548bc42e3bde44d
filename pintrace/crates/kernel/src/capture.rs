//! A kernel on file: all that the planner and the layout ask it, with its answers. `pintrace doctor --facts`
//! prints one, `cargo xtask facts` keeps one of each kernel as a fixture, and tests plan and lay out from it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pintrace_common::facts::Facts;
use pintrace_common::mm_events::MmEventFacts;
use serde::{Deserialize, Serialize};

use super::btf::Types;
use super::facts::{Kernel, KernelFacts};
use super::layout::{self, UnknownLayout};
use super::mm_event_layout;

/// One kernel's answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// What the planner asks.
    pub kernel: KernelFacts,
    /// What the layout asks.
    pub types: Answers,
    /// What became of each hook when it was tried; empty where nothing could be loaded.
    #[serde(default)]
    pub hooks: Vec<TriedHook>,
    /// Instructions that the verifier followed, by program; empty where the kernel does not tell (before 5.16).
    #[serde(default)]
    pub verified: BTreeMap<String, u32>,
}

/// What became of one hook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriedHook {
    /// Kernel function, or tracepoint.
    pub function: String,
    /// What for.
    pub purposes: Vec<String>,
    /// The methods joined by `+`, with ` x2` where backup programs are attached; or `absent`, `not_needed`, `missing`.
    pub how: String,
    /// Why better ways were refused.
    pub refused: Vec<String>,
}

impl Capture {
    /// Asks a kernel. Nothing is tried: see `trial.rs` for that.
    pub fn of(kernel: &Kernel) -> Self {
        Self {
            kernel: kernel.facts.clone(),
            types: Answers::of(&kernel.types),
            hooks: Vec::new(),
            verified: BTreeMap::new(),
        }
    }

    /// What the findings need to know, from the answers.
    pub fn mm_event_layout(&self) -> Result<MmEventFacts, UnknownLayout> {
        mm_event_layout::mm_event_facts(&self.types, |function| self.kernel.parameters(function))
    }

    /// The layout, from the answers.
    pub fn layout(&self) -> Result<Facts, UnknownLayout> {
        layout::facts(&self.types, self.kernel.preemption)
    }
}

/// What the layout asks of BTF, and what that says; `None` is a question that it has no answer to. Where the
/// layout is unknown, the questions end with the one that it is unknown for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// By enumerator.
    pub enumerators: BTreeMap<String, Option<u32>>,
    /// Bytes, by `container.member`.
    pub offsets: BTreeMap<String, Option<u32>>,
    /// Bytes, by container.
    pub sizes: BTreeMap<String, Option<u32>>,
}

impl Answers {
    /// Has the layout ask, and keeps each question with its answer.
    pub fn of(types: &impl Types) -> Self {
        let listener = Listener {
            types,
            heard: RefCell::default(),
        };
        // Unknown or not: here it is the questions that count.
        let _ = layout::facts(&listener, false);
        for unmap in UNMAP_SHAPES {
            let parameters: Vec<String> = unmap.iter().map(|&name| name.to_owned()).collect();
            let _ = mm_event_layout::mm_event_facts(&listener, |_| &parameters);
        }
        let _ = crate::scan_layout::layout(&listener);
        listener.heard.into_inner()
    }
}

/// What is asked depends on what `unmap_vmas` takes.
const UNMAP_SHAPES: [&[&str]; 2] = [&["tlb", "vma"], &["tlb", "unmap"]];

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

/// Passes questions on and keeps them with their answers.
struct Listener<'a, T> {
    types: &'a T,
    heard: RefCell<Answers>,
}

impl<T: Types> Types for Listener<'_, T> {
    fn offset(&self, container: &str, names: &[&str]) -> Option<u32> {
        names.iter().find_map(|name| {
            let answer = self.types.offset(container, &[name]);
            let mut heard = self.heard.borrow_mut();
            heard.offsets.insert(member(container, name), answer);
            answer
        })
    }

    fn size(&self, container: &str) -> Option<u32> {
        let answer = self.types.size(container);
        let mut heard = self.heard.borrow_mut();
        heard.sizes.insert(container.to_owned(), answer);
        answer
    }

    fn enumerators(&self, wanted: &[&str]) -> BTreeMap<String, u32> {
        let found = self.types.enumerators(wanted);
        let answers = wanted
            .iter()
            .map(|name| ((*name).to_owned(), found.get(*name).copied()));
        self.heard.borrow_mut().enumerators.extend(answers);
        found
    }
}

fn member(container: &str, name: &str) -> String {
    format!("{container}.{name}")
}
