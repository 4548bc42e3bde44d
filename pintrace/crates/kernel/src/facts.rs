//! What this kernel offers: existence first, versions never. Captured from a running kernel, or read
//! from a fixture.

use std::collections::{BTreeMap, BTreeSet};
use std::env::consts::ARCH;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::btf::{BtfError, KERNEL_BTF, KernelTypes, Prototype};
use super::ftrace;
use super::kallsyms::Kallsyms;
use super::preemption;

/// What is known of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionFacts {
    /// It stands in kallsyms; `None` if kallsyms could not be read.
    pub in_kallsyms: Option<bool>,
    /// ftrace can trace it; `None` if its list could not be read ([`ftrace::traceable`]).
    pub traceable: Option<bool>,
    /// Its prototype, if BTF has exactly one.
    pub prototype: Option<Prototype>,
}

/// Functions that no hook uses, recorded to show what the table leaves out and why.
pub const BESIDE: &[&str] = &[
    // In lib/, so without ftrace's entry call.
    "iov_iter_extract_pages",
    // `static inline`, and in BTF all the same.
    "wp_page_reuse",
];

/// In every kernel, so that a list without it is none.
const EVERYWHERE: &str = "do_exit";
/// In every kernel with kprobes.
const KPROBES: &str = "register_kprobe";

/// What a kernel offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// By function name: every one of the table, and of [`BESIDE`].
    pub functions: BTreeMap<String, FunctionFacts>,
    /// The kernel has kprobes (`register_kprobe` exists); `None` if that cannot be told.
    pub kprobes: Option<bool>,
    /// BPF has the helper `bpf_loop`, and with it those for a trampoline's frame and compare-and-swap (5.17).
    pub bpf_loop: bool,
    /// Threads can be taken off their CPU inside the kernel ([`preemption::possible`]).
    #[serde(default)]
    pub preemption: bool,
}

impl KernelFacts {
    /// The names of a function's parameters; none if it is not there, or there are several of its name.
    pub fn parameters(&self, function: &str) -> &[String] {
        let prototype = self
            .functions
            .get(function)
            .and_then(|facts| facts.prototype.as_ref());
        prototype.map_or(&[], |prototype| &prototype.parameters)
    }
}

/// Where the kernel shows itself; other folders in tests.
#[derive(Clone, Debug)]
pub struct Roots {
    /// `/proc`.
    pub proc: PathBuf,
    /// The BTF file.
    pub btf: PathBuf,
    /// debugfs.
    pub debug: PathBuf,
    /// securityfs.
    pub security: PathBuf,
    /// tracefs, which older systems have in debugfs only.
    pub tracing: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            btf: KERNEL_BTF.into(),
            debug: "/sys/kernel/debug".into(),
            security: "/sys/kernel/security".into(),
            tracing: "/sys/kernel/tracing".into(),
        }
    }
}

impl Roots {
    /// The running kernel, with another BTF file if one is given.
    pub fn with_btf(btf: Option<&Path>) -> Self {
        let mut roots = Self::default();
        if let Some(btf) = btf {
            btf.clone_into(&mut roots.btf);
        }
        roots
    }
}

/// The kernel's release (`uname -r`).
pub fn release(proc: &Path) -> String {
    word(proc, "osrelease")
}

/// The machine (`uname -m`). The file came with 6.1; before, what this program is built for must be what it runs on.
pub fn machine(proc: &Path) -> String {
    Some(word(proc, "arch"))
        .filter(|arch| !arch.is_empty())
        .unwrap_or_else(|| ARCH.to_owned())
}

fn word(proc: &Path, name: &str) -> String {
    std::fs::read_to_string(proc.join("sys/kernel").join(name))
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// A kernel, read once: its facts, types and symbols.
pub struct Kernel {
    /// What hooks can rely on.
    pub facts: KernelFacts,
    /// Its types.
    pub types: KernelTypes,
    /// Its symbols.
    pub symbols: Kallsyms,
}

impl Kernel {
    /// Reads the kernel that the roots show, and asks it about these functions and [`BESIDE`].
    pub fn read(roots: &Roots, functions: impl IntoIterator<Item = &'static str>) -> Result<Self, BtfError> {
        let types = KernelTypes::read(&roots.btf)?;
        let symbols = Kallsyms::read(&roots.proc.join("kallsyms"));
        let functions: BTreeSet<_> = functions.into_iter().chain(BESIDE.iter().copied()).collect();
        let there = symbols.among(&functions.iter().copied().chain([EVERYWHERE, KPROBES]).collect());
        let listed = there.contains(EVERYWHERE) || symbols.has_addresses();
        let folders = [&*roots.tracing, &roots.debug.join("tracing")];
        let traceable = ftrace::traceable(&folders, &functions);
        let functions = functions
            .into_iter()
            .map(|function| {
                let facts = FunctionFacts {
                    in_kallsyms: listed.then(|| there.contains(function)),
                    traceable: traceable.as_ref().map(|list| list.contains(function)),
                    prototype: types.prototype(function),
                };
                (function.to_owned(), facts)
            })
            .collect();
        let facts = KernelFacts {
            release: release(&roots.proc),
            machine: machine(&roots.proc),
            functions,
            kprobes: listed.then(|| there.contains(KPROBES)),
            bpf_loop: types.has_enumerator("bpf_func_id", "BPF_FUNC_loop"),
            preemption: preemption::possible(&roots.debug, &word(&roots.proc, "version")),
        };
        Ok(Self {
            facts,
            types,
            symbols,
        })
    }
}
