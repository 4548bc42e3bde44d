//! Facts about a kernel: the existence of functions and helpers, and never the version. The facts are captured from a
//! running kernel, or read from a fixture.

use std::collections::{BTreeMap, BTreeSet};
use std::env::consts::ARCH;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::btf::{BtfError, KERNEL_BTF, KernelTypes, Prototype};
use super::ftrace;
use super::kallsyms::Kallsyms;
use super::preemption;

/// Facts about one function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionFacts {
    /// kallsyms lists the function; `None` if kallsyms could not be read.
    pub in_kallsyms: Option<bool>,
    /// The function is in a module. The types and the list of ftrace that pintrace reads have only the functions of the kernel
    /// proper.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_module: bool,
    /// ftrace can trace the function; `None` if the list of ftrace could not be read ([`ftrace::traceable`]).
    pub traceable: Option<bool>,
    /// Prototype, if BTF has exactly one function of the name, or several that agree while kallsyms has one
    /// ([`KernelTypes::common_prototype`]).
    pub prototype: Option<Prototype>,
}

/// Functions that no hook uses. Captures record these functions to show why the table of hooks leaves them out, or to
/// show what a kernel does.
pub const BESIDE: &[&str] = &[
    // Exists where `page.index` of a hugetlb page counts huge pages.
    "hugetlb_basepage_index",
    // In lib/, which is built without ftrace's entry call.
    "iov_iter_extract_pages",
    // `static inline`, although BTF lists the function.
    "wp_page_reuse",
];

/// A function of every kernel: if kallsyms lacks this function, kallsyms could not be read.
const EVERYWHERE: &str = "do_exit";
/// A function of every kernel with kprobes.
const KPROBES: &str = "register_kprobe";

/// Facts about a kernel, from which the hooks are planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelFacts {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// Facts by function name: the functions of the table of hooks, and of [`BESIDE`].
    pub functions: BTreeMap<String, FunctionFacts>,
    /// The kernel has kprobes (`register_kprobe` exists); `None` if kallsyms could not be read.
    pub kprobes: Option<bool>,
    /// BPF has the helper `bpf_loop` (5.17), and so the helpers for a trampoline's frame, and compare-and-swap.
    pub bpf_loop: bool,
    /// The kernel preempts threads inside the kernel ([`preemption::possible`]).
    #[serde(default)]
    pub preemption: bool,
}

impl KernelFacts {
    /// Returns the parameter names of a function; empty if no function or several functions have the name.
    pub fn parameters(&self, function: &str) -> &[String] {
        let prototype = self
            .functions
            .get(function)
            .and_then(|facts| facts.prototype.as_ref());
        prototype.map_or(&[], |prototype| &prototype.parameters)
    }
}

/// The paths below which the kernel's files are; tests use other folders.
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
    /// tracefs, which older systems mount in debugfs only.
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
    /// Returns the paths of the running kernel, with another BTF file if `btf` is given.
    pub fn with_btf(btf: Option<&Path>) -> Self {
        let mut roots = Self::default();
        if let Some(btf) = btf {
            btf.clone_into(&mut roots.btf);
        }
        roots
    }
}

/// Returns the kernel's release (`uname -r`).
pub fn release(proc: &Path) -> String {
    word(proc, "osrelease")
}

/// Returns the machine (`uname -m`). The file exists since 6.1; on older kernels the machine is the architecture for
/// which pintrace is built.
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
    /// Facts for the plan.
    pub facts: KernelFacts,
    /// Types.
    pub types: KernelTypes,
    /// Symbols.
    pub symbols: Kallsyms,
}

impl Kernel {
    /// Reads the kernel below `roots`, with facts about `functions` and [`BESIDE`]. Fails if BTF cannot be read.
    pub fn read(roots: &Roots, functions: impl IntoIterator<Item = &'static str>) -> Result<Self, BtfError> {
        let types = KernelTypes::read(&roots.btf)?;
        let symbols = Kallsyms::read(&roots.proc.join("kallsyms"));
        let functions: BTreeSet<_> = functions.into_iter().chain(BESIDE.iter().copied()).collect();
        let there = symbols.among(&functions.iter().copied().chain([EVERYWHERE, KPROBES]).collect());
        let in_modules = symbols.only_in_modules(&functions);
        let listed = there.contains(EVERYWHERE) || symbols.has_addresses();
        let folders = [&*roots.tracing, &roots.debug.join("tracing")];
        let traceable = ftrace::traceable(&folders, &functions);
        let functions = functions
            .into_iter()
            .map(|function| {
                let facts = FunctionFacts {
                    in_kallsyms: listed.then(|| there.contains(function)),
                    in_module: in_modules.contains(function),
                    traceable: traceable.as_ref().map(|list| list.contains(function)),
                    prototype: types.prototype(function).or_else(|| {
                        let common = types.common_prototype(function)?;
                        symbols.has_one(function).then_some(common)
                    }),
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
