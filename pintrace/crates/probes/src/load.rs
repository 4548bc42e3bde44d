//! Loads the eBPF object that suits the kernel, with facts and options injected. Attaches nothing.

use aya::programs::Program;
use aya::{Btf, Ebpf, EbpfLoader};
use pintrace_common::facts::Facts;
use pintrace_common::kfuncs::PREEMPTION;
use pintrace_common::limits;
use pintrace_common::mm_events::MmEventFacts;

use super::map_sizes::{chunk_slots, extents_for, folio_chunks, pages_of_memory};
use super::options::LoadOptions;
use super::table::{HOOKS, Hook};
use pintrace_bpf::kfuncs::{self, FoundKfunc, RdonlyCast};
use pintrace_bpf::objects;
use pintrace_bpf::refusal::root_cause;
use pintrace_kernel::facts::{Kernel, KernelFacts};
use pintrace_kernel::layout::{self, UnknownLayout};
use pintrace_kernel::mm_event_layout;

/// Why the eBPF object could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel refused a map, before any program was loaded.
    #[error("the kernel refused the eBPF maps: {}", root_cause(.0))]
    Object(#[from] aya::EbpfError),
}

/// [`Facts`] as a global variable of the object.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct FactsGlobal(Facts);

// SAFETY: repr(C) with u32 fields only, so without padding; any bit pattern is valid.
unsafe impl aya::Pod for FactsGlobal {}

/// [`MmEventFacts`] as a global variable of the object.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct MmEventGlobal(MmEventFacts);

// SAFETY: as for `FactsGlobal`.
unsafe impl aya::Pod for MmEventGlobal {}

/// The facts that are injected into the programs.
#[derive(Clone, Debug)]
pub struct Layouts {
    /// Facts for the ledger.
    pub ledger: Facts,
    /// Facts for the finding hooks; an error means that no finding hook can be attached.
    pub mm_events: Result<MmEventFacts, UnknownLayout>,
    /// BTF ids for reading kernel memory in place, if the kernel has `bpf_rdonly_cast`.
    pub rdonly_cast: Option<RdonlyCast>,
    /// The functions by which counting programs stay on their CPU, if the kernel has them and can preempt the programs.
    pub preemption: Option<Vec<FoundKfunc>>,
}

impl Layouts {
    /// Collects the facts about a kernel. Fails if a fact for the ledger is missing.
    pub fn of(kernel: &Kernel) -> Result<Self, UnknownLayout> {
        Ok(Self {
            ledger: layout::facts(&kernel.types, kernel.facts.preemption)?,
            mm_events: mm_event_layout::mm_event_facts(&kernel.types, |function| {
                kernel.facts.parameters(function)
            }),
            rdonly_cast: RdonlyCast::find(&kernel.types, RdonlyCast::WORDS),
            preemption: kfuncs::find(&kernel.types, &PREEMPTION).filter(|_| kernel.facts.preemption),
        })
    }
}

/// Loads the object that suits the kernel, with the facts injected. The programs use kernel functions as far as the
/// kernel accepts that.
pub fn load(
    kernel: &KernelFacts,
    layouts: &Layouts,
    btf: &Btf,
    options: &LoadOptions,
) -> Result<Loaded, LoadError> {
    let backups = Backups {
        ledger: layouts.ledger.has_backups != 0,
        mm_events: layouts.ledger.has_backups != 0,
    };
    let object = if kernel.bpf_loop {
        objects::LEDGER
    } else {
        objects::LEDGER_WITHOUT_BPF_LOOP
    };
    if let Some(rdonly_cast) = layouts.rdonly_cast {
        let mut functions = vec![rdonly_cast.function()];
        let mut facts = Facts {
            rdonly_cast_type: rdonly_cast.read_as,
            ..layouts.ledger
        };
        let load = |functions: &[FoundKfunc], facts, probe| -> Result<Option<Ebpf>, LoadError> {
            let object = kfuncs::patch(object, functions);
            let mut ebpf = load_object(&object, facts, kernel, layouts, btf, options)?;
            Ok(accepts(&mut ebpf, probe).then_some(ebpf))
        };
        if let Some(preemption) = &layouts.preemption {
            functions.extend(preemption);
            facts.stays_on_cpu = 1;
            facts.mm_event_backups = 0;
            if let Some(ebpf) = load(&functions, facts, PREEMPTION_PROBE)? {
                return Ok(Loaded {
                    ebpf,
                    backups: Backups {
                        mm_events: false,
                        ..backups
                    },
                });
            }
            facts.stays_on_cpu = 0;
            facts.mm_event_backups = layouts.ledger.mm_event_backups;
        }
        if let Some(ebpf) = load(&functions[..1], facts, RDONLY_CAST_PROBE)? {
            return Ok(Loaded { ebpf, backups });
        }
    }
    let ebpf = load_object(object, layouts.ledger, kernel, layouts, btf, options)?;
    Ok(Loaded { ebpf, backups })
}

/// The loaded object.
pub struct Loaded {
    /// The object. No program is loaded yet.
    pub ebpf: Ebpf,
    /// The hooks that need backup programs.
    pub backups: Backups,
}

/// The hooks that need backup programs, because the kernel may preempt their programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backups {
    /// Hooks of the ledger.
    pub ledger: bool,
    /// Finding hooks.
    pub mm_events: bool,
}

impl Backups {
    /// Returns true if a hook needs backup programs.
    #[must_use]
    pub fn of(self, hook: &Hook) -> bool {
        if hook.is_for_findings() {
            self.mm_events
        } else {
            self.ledger
        }
    }
}

/// A feature probe: a program that stays on its CPU and reads memory in place, which the kernel may not accept.
const PREEMPTION_PROBE: &str = "probe_preemption";
/// A feature probe: a program that reads memory in place, which the kernel may not accept.
const RDONLY_CAST_PROBE: &str = "probe_rdonly_cast";

/// Returns true if the kernel accepts a program. The program is unloaded at once.
fn accepts(ebpf: &mut Ebpf, name: &str) -> bool {
    let Some(Program::RawTracePoint(program)) = ebpf.program_mut(name) else {
        return false;
    };
    program.load().and_then(|()| program.unload()).is_ok()
}

fn load_object(
    object: &[u8],
    facts: Facts,
    kernel: &KernelFacts,
    layouts: &Layouts,
    btf: &Btf,
    options: &LoadOptions,
) -> Result<Ebpf, LoadError> {
    let wanted = options.findings.unwrap_or_default();
    let plain_pages = has_plain_pages(&facts);
    let chunk_slots = chunk_slots(kernel, options);
    let extents = extents_for(pages_of_memory());
    let facts = FactsGlobal(Facts {
        plain_pages: u32::from(plain_pages),
        short_pins: u32::from(plain_pages && !wanted.short_term && fast_has_four_parameters(kernel)),
        pg_head_mask: bit(facts.pg_head),
        pg_anon_exclusive_mask: bit(facts.pg_anon_exclusive),
        chunk_slot_mask: chunk_slots - 1,
        ..facts
    });
    let mm_events = MmEventGlobal(MmEventFacts {
        findings: u32::from(options.findings.is_some()),
        short_term: u32::from(wanted.short_term),
        foll_get: u32::from(wanted.foll_get),
        all_windows: u32::from(wanted.all_windows),
        ..layouts.mm_events.clone().unwrap_or_default()
    });
    let log_level = u8::from(options.bpf_log) * LOG_DEBUG;
    let mut loader = EbpfLoader::new();
    loader
        .btf(Some(btf))
        .override_global("FACTS", &facts, true)
        .override_global("MM_EVENT_FACTS", &mm_events, true)
        .override_global("AYA_LOG_LEVEL", &log_level, false)
        .map_max_entries("CHUNKS", folio_chunks(kernel.bpf_loop))
        .map_max_entries("EXTENTS", extents)
        .map_max_entries("FREE_EXTENTS", extents)
        .map_max_entries("CHANGED_EXTENTS", extents.div_ceil(8))
        .map_max_entries("CHUNK_SLOTS", chunk_slots);
    if !kernel.bpf_loop {
        loader.map_max_entries("MULTI_OWNER_FOLIOS", limits::PREALLOCATED_MULTI_OWNER_FOLIOS);
    }
    if layouts.ledger.has_backups == 0 {
        loader.map_max_entries("BACKUP_TOKENS", limits::UNUSED);
    }
    if !wanted.foll_get {
        loader.map_max_entries("FOLL_GET_FOLIOS", limits::UNUSED);
    }
    if !registers_in_modules(kernel) {
        loader.map_max_entries("REGISTRATIONS_IN_FLIGHT", limits::UNUSED);
    }
    for (map, entries) in &options.map_entries {
        loader.map_max_entries(map, *entries);
        if *map == "EXTENTS" {
            loader.map_max_entries("FREE_EXTENTS", *entries);
            loader.map_max_entries("CHANGED_EXTENTS", entries.div_ceil(8));
        }
    }
    Ok(loader.load(object)?)
}

/// Returns true if a hook on a function of a module needs the sizes of registrations in flight.
fn registers_in_modules(kernel: &KernelFacts) -> bool {
    let mut hooks = HOOKS.iter().filter(|hook| hook.is_for_modules());
    hooks.any(|hook| {
        let function = kernel.functions.get(hook.function);
        function.is_some_and(|function| function.in_kallsyms == Some(true))
    })
}

/// Returns true if the short way through the ledger can read struct pages ([`Facts::plain_pages`]).
fn has_plain_pages(facts: &Facts) -> bool {
    let offsets = [
        facts.page_flags,
        facts.page_compound_head,
        facts.page_mapping,
        facts.page_refcount,
    ];
    let flags_are_low = facts.pg_head < 32 && facts.pg_anon_exclusive < 32;
    offsets == [0, 8, 24, 52] && flags_are_low && facts.rdonly_cast_type != 0
}

/// Returns true if the return value of `pin_user_pages_fast` is the fifth word of a trampoline's frame.
fn fast_has_four_parameters(kernel: &KernelFacts) -> bool {
    let function = kernel.functions.get("pin_user_pages_fast");
    let prototype = function.and_then(|function| function.prototype.as_ref());
    prototype.is_some_and(|prototype| prototype.parameters.len() == 4)
}

/// Returns the mask of a flag, or 0 for flag 0, which stands for a flag that the kernel does not have.
fn bit(flag: u32) -> u32 {
    1u32.checked_shl(flag).unwrap_or(0) & !1
}

/// Number of the level debug in aya-log; 0 disables all messages.
const LOG_DEBUG: u8 = 4;
