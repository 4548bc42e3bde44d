//! Loads the scan's eBPF object and runs its programs. The aya types of programs and maps stay in this file.

use std::io::Read as _;

use aya::maps::{Array, MapData};
use aya::programs::{Iter, Program, ProgramError, RawTracePoint};
use aya::{Btf, Ebpf, EbpfLoader};
use pintrace_common::scan::{BLOCK, Block, PinnedFolio, ProbeRead, ScanFacts, ScanState, TaskSeen};

use pintrace_bpf::objects;
use pintrace_bpf::pod;
use pintrace_bpf::rdonly_cast::RdonlyCast;
use pintrace_bpf::refusal::root_cause;
use pintrace_bpf::test_run::test_run;
use pintrace_kernel::btf::KernelTypes;

/// The reason why the programs cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The kernel refused the maps.
    #[error("the kernel refused the scan's eBPF maps: {}", root_cause(.0))]
    Load(#[from] aya::EbpfError),
    /// The kernel refused a program.
    #[error("the kernel refused the scan's program {name}: {why}")]
    Program {
        /// Name of the program.
        name: &'static str,
        /// Error of the kernel.
        why: String,
    },
    /// A program or map is not in the object.
    #[error("the eBPF object has no {0}")]
    Missing(&'static str),
    /// A map cannot be created or read.
    #[error("cannot use an eBPF map: {0}")]
    Map(#[from] aya::maps::MapError),
    /// A run of a program failed. BPF_PROG_TEST_RUN runs raw tracepoint programs since 5.10.
    #[error("the kernel failed to run the scan's program: {0}")]
    Run(#[source] std::io::Error),
}

/// The BTF function that the task iterator is attached to (kernel/bpf/task_iter.c).
pub const TASKS_FUNCTION: &str = "bpf_iter_task";
const SCAN: &str = "scan";
const SCAN_RDONLY_CAST: &str = "scan_rdonly_cast";
const PROBE_READ: &str = "probe_read";
const TASKS: &str = "tasks";

pod! {
    PodFacts(ScanFacts);
    PodState(ScanState);
    PodBlock(Block);
    PodProbeRead(ProbeRead);
}

/// The loaded programs and their maps.
pub struct Object {
    state: Array<MapData, PodState>,
    found: Array<MapData, PodBlock>,
    probe_result: Array<MapData, PodProbeRead>,
    // Declared after the maps, so that the programs are dropped after the maps.
    ebpf: Ebpf,
    /// Name of the program that scans: `scan_rdonly_cast` if the kernel accepted it, else `scan`.
    scan: &'static str,
    /// Error with which the kernel refused the task iterator; `None` if the task iterator is loaded.
    without_tasks: Option<String>,
}

impl Object {
    /// Loads the programs, with `facts` injected.
    pub fn load(facts: ScanFacts, types: &KernelTypes, btf: &Btf) -> Result<Self, ObjectError> {
        let rdonly_cast = RdonlyCast::find(types, "folio");
        let object = rdonly_cast.map_or_else(
            || objects::SCAN.to_vec(),
            |rdonly_cast| rdonly_cast.patch(objects::SCAN),
        );
        let facts = PodFacts(ScanFacts {
            folio_type: rdonly_cast.map_or(0, |rdonly_cast| rdonly_cast.read_as),
            ..facts
        });
        let mut ebpf = EbpfLoader::new()
            .btf(Some(btf))
            .override_global("SCAN_FACTS", &facts, true)
            .load(&object)?;
        for name in [SCAN, PROBE_READ] {
            raw_tracepoint(&mut ebpf, name)?
                .load()
                .map_err(|error| refused(name, &error))?;
        }
        let rdonly_cast_loaded = rdonly_cast.is_some()
            && raw_tracepoint(&mut ebpf, SCAN_RDONLY_CAST)?
                .load()
                .inspect_err(|error| {
                    if std::env::var_os("PINTRACE_VERIFIER_LOG").is_some() {
                        eprintln!("{SCAN_RDONLY_CAST}: {}", root_cause(error));
                    }
                })
                .is_ok();
        let without_tasks = iterator(&mut ebpf)?
            .load("task", btf)
            .err()
            .map(|error| root_cause(&error));
        let take = |ebpf: &mut Ebpf, name| ebpf.take_map(name).ok_or(ObjectError::Missing(name));
        Ok(Self {
            state: take(&mut ebpf, "SCAN_STATE")?.try_into()?,
            found: take(&mut ebpf, "SCAN_FOUND")?.try_into()?,
            probe_result: take(&mut ebpf, "PROBE_READ")?.try_into()?,
            ebpf,
            scan: if rdonly_cast_loaded {
                SCAN_RDONLY_CAST
            } else {
                SCAN
            },
            without_tasks,
        })
    }

    /// Scans the frames from `from` to `to` in one run, which may end before `to`. Calls `take` for each folio that
    /// looks pinned, in the order of frames. Returns the state at the end of the run.
    pub fn scan(
        &mut self,
        vmemmap: u64,
        from: u64,
        to: u64,
        take: &mut dyn FnMut(&PinnedFolio),
    ) -> Result<ScanState, ObjectError> {
        self.run(self.scan, &[from, to, vmemmap])?;
        let state = self.state.get(&0, 0)?.0;
        let mut left = usize::try_from(state.found).unwrap_or(usize::MAX);
        let mut index = 0;
        while left > 0 && index < self.found.len() {
            let block = self.found.get(&index, 0)?.0;
            for found in block.entries.iter().take(left) {
                take(found);
            }
            left = left.saturating_sub(BLOCK);
            index += 1;
        }
        Ok(state)
    }

    /// Reads kernel memory at `address`. Memory that cannot be read has `readable` 0 and is no error.
    pub fn probe_read(&self, address: u64) -> Result<ProbeRead, ObjectError> {
        self.run(PROBE_READ, &[address])?;
        Ok(self.probe_result.get(&0, 0)?.0)
    }

    /// Returns a u64 of kernel memory, or `None` if the address cannot be read.
    pub fn read_u64(&self, address: u64) -> Option<u64> {
        let read = self.probe_read(address).ok()?;
        (read.readable == 1).then_some(read.words[0])
    }

    /// Returns the tasks whose mm flags have a bit of `mask`, or all tasks with an mm if `mask` is 0. `None` if the
    /// kernel refused the task iterator.
    pub fn tasks(&mut self, mask: u64) -> Result<Option<Vec<TaskSeen>>, ObjectError> {
        if self.without_tasks.is_some() {
            return Ok(None);
        }
        let state = ScanState {
            pinned_mask: mask,
            ..ScanState::default()
        };
        self.state.set(0, PodState(state), 0)?;
        let program = iterator(&mut self.ebpf)?;
        let refused = |error: ProgramError| refused(TASKS, &error);
        let link = program.attach().map_err(refused)?;
        let link = program.take_link(link).map_err(refused)?;
        let mut bytes = Vec::new();
        link.into_file()
            .map_err(|error| ObjectError::Run(std::io::Error::other(error)))?
            .read_to_end(&mut bytes)
            .map_err(ObjectError::Run)?;
        let (words, _) = bytes.as_chunks::<8>();
        let (records, _) = words.as_chunks::<3>();
        let records = records.iter().map(|[task, tgid, mm]| TaskSeen {
            task: u64::from_ne_bytes(*task),
            tgid: u64::from_ne_bytes(*tgid),
            mm: u64::from_ne_bytes(*mm),
        });
        Ok(Some(records.collect()))
    }

    /// Returns the error with which the kernel refused the task iterator.
    pub fn without_tasks(&self) -> Option<&str> {
        self.without_tasks.as_deref()
    }

    /// Returns the number of instructions that the verifier followed, by program. Kernels before 5.16 do not report
    /// the number.
    pub fn verified(&self) -> Vec<(String, u32)> {
        let count = |name| {
            let info = self.ebpf.program(name)?.info().ok()?;
            info.verified_instruction_count()
        };
        [SCAN, SCAN_RDONLY_CAST, PROBE_READ, TASKS]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), count(name)?)))
            .collect()
    }

    fn run(&self, name: &'static str, arguments: &[u64]) -> Result<(), ObjectError> {
        let program = self.ebpf.program(name).ok_or(ObjectError::Missing(name))?;
        let fd = program.fd().map_err(|error| refused(name, &error))?;
        test_run(std::os::fd::AsFd::as_fd(fd), arguments)
            .map(drop)
            .map_err(ObjectError::Run)
    }
}

fn refused(name: &'static str, error: &ProgramError) -> ObjectError {
    ObjectError::Program {
        name,
        why: root_cause(error),
    }
}

fn raw_tracepoint<'e>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut RawTracePoint, ObjectError> {
    match ebpf.program_mut(name) {
        Some(Program::RawTracePoint(program)) => Ok(program),
        _ => Err(ObjectError::Missing(name)),
    }
}

fn iterator(ebpf: &mut Ebpf) -> Result<&mut Iter, ObjectError> {
    match ebpf.program_mut(TASKS) {
        Some(Program::Iter(program)) => Ok(program),
        _ => Err(ObjectError::Missing(TASKS)),
    }
}
