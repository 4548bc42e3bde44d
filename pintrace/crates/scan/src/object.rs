//! Loads the scan's eBPF object and runs its programs. The aya types of programs and maps stay in this file.

use std::collections::BTreeMap;
use std::io::Read as _;

use aya::maps::{Array, MapData};
use aya::programs::{Iter, Program, ProgramError, RawTracePoint};
use aya::{Btf, Ebpf, EbpfLoader};
use pintrace_common::scan::{
    BLOCK, BLOCK_WORDS, Block, FileFilter, FileSeen, PROBE_READ_BYTES, PinnedFolio, ProbeRead, ReadBlock,
    ScanFacts, ScanState, TaskSeen,
};

use pintrace_bpf::kfuncs::{self, RdonlyCast};
use pintrace_bpf::objects;
use pintrace_bpf::pod;
use pintrace_bpf::refusal::root_cause;
use pintrace_bpf::test_run::test_run;
use pintrace_kernel::btf::KernelTypes;

use super::kernel_memory::KernelMemory;

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

/// The BTF functions that the iterators are attached to (kernel/bpf/task_iter.c).
pub const ITERATOR_FUNCTIONS: [&str; 3] = ["bpf_iter_task", "bpf_iter_task_file", "bpf_iter_task_vma"];
const SCAN: &str = "scan";
const SCAN_RDONLY_CAST: &str = "scan_rdonly_cast";
const PROBE_READ: &str = "probe_read";
const READ_BLOCK: &str = "read_block";
const TASKS: &str = "tasks";
const DESCRIPTORS: &str = "descriptors";
const MAPPINGS: &str = "mappings";
/// The iterators: each program with the kernel's name of its objects.
const ITERATORS: [(&str, &str); 3] = [
    (TASKS, "task"),
    (DESCRIPTORS, "task_file"),
    (MAPPINGS, "task_vma"),
];

pod! {
    PodFacts(ScanFacts);
    PodState(ScanState);
    PodBlock(Block);
    PodProbeRead(ProbeRead);
    PodReadBlock(ReadBlock);
    PodFilter(FileFilter);
}

/// The loaded programs and their maps.
pub struct Object {
    state: Array<MapData, PodState>,
    found: Array<MapData, PodBlock>,
    probe_result: Array<MapData, PodProbeRead>,
    block: Array<MapData, PodReadBlock>,
    filter: Array<MapData, PodFilter>,
    // Declared after the maps, so that the programs are dropped after the maps.
    ebpf: Ebpf,
    /// Name of the program that scans: `scan_rdonly_cast` if the kernel accepted it, else `scan`.
    scan: &'static str,
    /// Errors with which the kernel refused iterators, by program.
    refused: BTreeMap<&'static str, String>,
}

impl Object {
    /// Loads the programs, with `facts` injected.
    pub fn load(facts: ScanFacts, types: &KernelTypes, btf: &Btf) -> Result<Self, ObjectError> {
        let rdonly_cast = RdonlyCast::find(types, "folio");
        let object = rdonly_cast.map_or_else(
            || objects::SCAN.to_vec(),
            |rdonly_cast| kfuncs::patch(objects::SCAN, &[rdonly_cast.function()]),
        );
        let facts = PodFacts(ScanFacts {
            folio_type: rdonly_cast.map_or(0, |rdonly_cast| rdonly_cast.read_as),
            ..facts
        });
        let mut ebpf = EbpfLoader::new()
            .btf(Some(btf))
            .override_global("SCAN_FACTS", &facts, true)
            .load(&object)?;
        for name in [SCAN, PROBE_READ, READ_BLOCK] {
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
        let mut refused = BTreeMap::new();
        for (name, objects) in ITERATORS {
            if let Err(error) = iterator(&mut ebpf, name)?.load(objects, btf) {
                refused.insert(name, root_cause(&error));
            }
        }
        let take = |ebpf: &mut Ebpf, name| ebpf.take_map(name).ok_or(ObjectError::Missing(name));
        Ok(Self {
            state: take(&mut ebpf, "SCAN_STATE")?.try_into()?,
            found: take(&mut ebpf, "SCAN_FOUND")?.try_into()?,
            probe_result: take(&mut ebpf, "PROBE_READ")?.try_into()?,
            block: take(&mut ebpf, "READ_BLOCK")?.try_into()?,
            filter: take(&mut ebpf, "FILE_FILTER")?.try_into()?,
            ebpf,
            scan: if rdonly_cast_loaded {
                SCAN_RDONLY_CAST
            } else {
                SCAN
            },
            refused,
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

    /// Returns all tasks that have an mm. `None` if the kernel refused the task iterator.
    pub fn tasks(&mut self) -> Result<Option<Vec<TaskSeen>>, ObjectError> {
        let records = self.iterate(TASKS)?;
        Ok(records.map(|words| {
            let (records, _) = words.as_chunks::<5>();
            let task = |&[task, pid_tgid, mm, mm_flags, io_uring]: &[u64; 5]| TaskSeen {
                task,
                pid_tgid,
                mm,
                mm_flags,
                io_uring,
            };
            records.iter().map(task).collect()
        }))
    }

    /// Returns the descriptors whose files the filter selects. `None` if the kernel refused the iterator.
    pub fn descriptors(&mut self, filter: FileFilter) -> Result<Option<Vec<FileSeen>>, ObjectError> {
        self.files(DESCRIPTORS, filter)
    }

    /// Returns the mappings whose files the filter selects. `None` if the kernel refused the iterator.
    pub fn mappings(&mut self, filter: FileFilter) -> Result<Option<Vec<FileSeen>>, ObjectError> {
        self.files(MAPPINGS, filter)
    }

    fn files(
        &mut self,
        name: &'static str,
        filter: FileFilter,
    ) -> Result<Option<Vec<FileSeen>>, ObjectError> {
        self.filter.set(0, PodFilter(filter), 0)?;
        let records = self.iterate(name)?;
        Ok(records.map(|words| {
            let (records, _) = words.as_chunks::<4>();
            let file = |&[file, pid_tgid, place, release]: &[u64; 4]| FileSeen {
                file,
                pid_tgid,
                place,
                release,
            };
            records.iter().map(file).collect()
        }))
    }

    /// Runs an iterator, and returns the words of all records.
    fn iterate(&mut self, name: &'static str) -> Result<Option<Vec<u64>>, ObjectError> {
        if self.refused.contains_key(name) {
            return Ok(None);
        }
        let program = iterator(&mut self.ebpf, name)?;
        let refused = |error: ProgramError| refused(name, &error);
        let link = program.attach().map_err(refused)?;
        let link = program.take_link(link).map_err(refused)?;
        let mut bytes = Vec::new();
        link.into_file()
            .map_err(|error| ObjectError::Run(std::io::Error::other(error)))?
            .read_to_end(&mut bytes)
            .map_err(ObjectError::Run)?;
        let (words, _) = bytes.as_chunks::<8>();
        Ok(Some(words.iter().map(|word| u64::from_ne_bytes(*word)).collect()))
    }

    /// Returns the error with which the kernel refused the task iterator.
    pub fn without_tasks(&self) -> Option<&str> {
        self.refused.get(TASKS).map(String::as_str)
    }

    /// Returns the number of instructions that the verifier followed, by program. Kernels before 5.16 do not report
    /// the number.
    pub fn verified(&self) -> Vec<(String, u32)> {
        let count = |name| {
            let info = self.ebpf.program(name)?.info().ok()?;
            info.verified_instruction_count()
        };
        [
            SCAN,
            SCAN_RDONLY_CAST,
            PROBE_READ,
            READ_BLOCK,
            TASKS,
            DESCRIPTORS,
            MAPPINGS,
        ]
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

impl KernelMemory for Object {
    fn words(&self, address: u64, count: usize) -> Option<Vec<u64>> {
        if count <= PROBE_READ_BYTES / 8 {
            let read = self.probe_read(address).ok()?;
            return (read.readable == 1).then(|| read.words[..count].to_vec());
        }
        let mut words = Vec::with_capacity(count);
        while words.len() < count {
            let part = (count - words.len()).min(BLOCK_WORDS);
            let at = address.checked_add(words.len() as u64 * 8)?;
            self.run(READ_BLOCK, &[at, part as u64]).ok()?;
            let block = self.block.get(&0, 0).ok()?.0;
            if block.readable != 1 {
                return None;
            }
            words.extend_from_slice(&block.words[..part]);
        }
        Some(words)
    }

    fn word(&self, address: u64) -> Option<u64> {
        let read = self.probe_read(address).ok()?;
        (read.readable == 1).then_some(read.words[0])
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

fn iterator<'e>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut Iter, ObjectError> {
    match ebpf.program_mut(name) {
        Some(Program::Iter(program)) => Ok(program),
        _ => Err(ObjectError::Missing(name)),
    }
}
