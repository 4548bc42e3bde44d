//! `cargo xtask bench core`: measures the cost of a pin and its release in the ledger, on this machine, for each layout
//! of the folio table.
//!
//! The bench runs the functions that the hooks call, over synthetic struct pages. Compare only figures of one run:
//! machines differ, and the speed of one machine changes over time.

use anyhow::{Context as _, anyhow};
use aya::maps::{Array, PerCpuArray};
use aya::programs::{Program, RawTracePoint};
use pintrace::pipeline::loader_btf;
use pintrace_bpf::test_run::test_run;
use pintrace_common::counters::{Loss, Total};
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_probes::load::{self, Layouts};
use pintrace_probes::options::LoadOptions;
use pintrace_probes::table;

/// Number of runs of each measurement. The result is the median.
const RUNS: usize = 7;

/// One workload.
struct Workload {
    name: &'static str,
    /// Number of pages of a pin call.
    pages: u64,
    /// Number of pages of a folio.
    folio_pages: u64,
    longterm: bool,
    /// Number of pin calls in a run.
    iterations: u64,
}

const WORKLOADS: &[Workload] = &[
    Workload {
        name: "1 page, short-term",
        pages: 1,
        folio_pages: 1,
        longterm: false,
        iterations: 100_000,
    },
    Workload {
        name: "1 page, long-term",
        pages: 1,
        folio_pages: 1,
        longterm: true,
        iterations: 20_000,
    },
    Workload {
        name: "512 separate pages",
        pages: 512,
        folio_pages: 1,
        longterm: true,
        iterations: 500,
    },
    Workload {
        name: "one 2 MiB folio",
        pages: 512,
        folio_pages: 512,
        longterm: true,
        iterations: 500,
    },
    Workload {
        name: "262,144 pages",
        pages: 262_144,
        folio_pages: 1,
        longterm: true,
        iterations: 1,
    },
];

/// The program that measures each layout, and the title of its column.
const TABLES: &[(&str, &str)] = &[
    ("bench_chunks", "chunks"),
    ("bench_by_folio", "by folio"),
    ("bench_by_frame", "by frame"),
];

/// Numbers of owners that a folio has while one more owner pins a page of it and releases the page.
const OWNERS: [u64; 4] = [0, 10, 100, 1000];

fn main() -> anyhow::Result<()> {
    // Arguments are ignored: `cargo bench` passes --bench.
    let roots = Roots::default();
    let kernel = Kernel::read(&roots, table::functions())?;
    let mut layouts = Layouts::of(&kernel)?;
    layouts.ledger.has_backups = 0;
    let btf = loader_btf::of(&kernel.types);
    let load::Loaded { mut ebpf, .. } = load::load(&kernel.facts, &layouts, &btf, &LoadOptions::default())?;
    let mut bench = Bench { ebpf: &mut ebpf };
    bench.load_all()?;
    let longterm = u64::from(layouts.ledger.foll_longterm);

    bench.counts_unreadable_pages()?;

    println!("kernel {}; median of {RUNS} runs", kernel.facts.release);
    let empty = bench.nanos("bench_empty", 1_000_000, &[])?;
    let hash = bench.nanos("bench_hash", 100_000, &[])?;
    println!("empty loop iteration {empty:.0} ns; hash update+lookup+delete {hash:.0} ns");
    println!(
        "{:<22}{:>12}{:>12}{:>12}   ns for pin + unpin",
        "", TABLES[0].1, TABLES[1].1, TABLES[2].1
    );
    for workload in WORKLOADS {
        bench.run(
            "bench_setup",
            workload.pages.max(workload.folio_pages),
            &[0, 0, workload.folio_pages],
        )?;
        let flags = if workload.longterm { longterm } else { 0 };
        print!("{:<22}", workload.name);
        for (program, _) in TABLES {
            let nanos = bench.nanos(
                program,
                workload.iterations,
                &[workload.pages, flags, workload.folio_pages],
            )?;
            print!("{:>12.0}", nanos - empty);
        }
        println!();
    }
    bench.measure_owners(empty)
}

struct Bench<'e> {
    ebpf: &'e mut aya::Ebpf,
}

impl Bench<'_> {
    fn load_all(&mut self) -> anyhow::Result<()> {
        let own = [
            "bench_setup",
            "bench_empty",
            "bench_hash",
            "bench_add_owners",
            "bench_remove_owners",
        ];
        for name in own.into_iter().chain(TABLES.iter().map(|(name, _)| *name)) {
            let program = self.program(name)?;
            program
                .load()
                .with_context(|| format!("the kernel refused {name}"))?;
            let instructions = program.info()?.verified_instruction_count();
            eprintln!("{name}: {} instructions verified", instructions.unwrap_or(0));
        }
        Ok(())
    }

    /// Makes a pin call and its release over unreadable struct pages. Each page must be counted as lost by the pin and
    /// by the release, and no page may enter the ledger. User space cannot cause such a call, so the guest tests cannot
    /// check it.
    fn counts_unreadable_pages(&mut self) -> anyhow::Result<()> {
        const PAGES: u32 = 64;
        /// An unreadable address.
        const NOT_A_STRUCT_PAGE: u64 = 3;
        let pointers = self
            .ebpf
            .map_mut("BENCH_POINTERS")
            .context("no map BENCH_POINTERS")?;
        let mut pointers = Array::<_, u64>::try_from(pointers)?;
        for page in 0..PAGES {
            pointers.set(page, NOT_A_STRUCT_PAGE, 0)?;
        }
        self.run("bench_chunks", 1, &[u64::from(PAGES), 0, 1])?;
        let lost = self.lost(Loss::StructPageUnreadable)?;
        let pinned = self.total(Total::Acquired)?;
        if (lost, pinned) != (2 * u64::from(PAGES), 0) {
            return Err(anyhow!(
                "{PAGES} unreadable pages: {lost} counted as lost, {pinned} counted as pinned"
            ));
        }
        Ok(())
    }

    /// Measures one short-term page of a 2 MiB folio that has other owners.
    fn measure_owners(&mut self, empty: f64) -> anyhow::Result<()> {
        println!("{:<22}{:>12}   ns for pin + unpin", "other owners", TABLES[0].1);
        for owners in OWNERS {
            self.run("bench_setup", 512, &[0, 0, 512])?;
            self.run("bench_add_owners", owners, &[])?;
            let nanos = self.nanos(TABLES[0].0, 1000, &[1, 0, 512])?;
            println!("{owners:<22}{:>12.0}", nanos - empty);
            self.run("bench_remove_owners", owners, &[])?;
        }
        for loss in [Loss::OwnerCellsFull, Loss::CellContended] {
            let lost = self.lost(loss)?;
            if lost != 0 {
                return Err(anyhow!("{lost} pins were lost ({loss:?})"));
            }
        }
        Ok(())
    }

    /// Returns a total of the programs, summed over all CPUs.
    fn total(&self, which: Total) -> anyhow::Result<u64> {
        let totals = self.ebpf.map("TOTALS").context("no map TOTALS")?;
        let totals = PerCpuArray::<_, u64>::try_from(totals)?;
        Ok(totals.get(&which.index(), 0)?.iter().sum())
    }

    /// Returns a loss that the programs counted.
    fn lost(&self, which: Loss) -> anyhow::Result<u64> {
        let losses = self.ebpf.map(".bss.losses").context("no map .bss.losses")?;
        let losses = Array::<_, [u64; Loss::COUNT]>::try_from(losses)?;
        Ok(losses.get(&0, 0)?[which as usize])
    }

    fn program(&mut self, name: &str) -> anyhow::Result<&mut RawTracePoint> {
        match self.ebpf.program_mut(name) {
            Some(Program::RawTracePoint(program)) => Ok(program),
            _ => Err(anyhow!("no program {name} in the eBPF object")),
        }
    }

    /// Runs a program with `iterations` and the arguments `rest`, and returns the time in ns. Fails if the program made
    /// another number of iterations.
    fn run(&mut self, name: &str, iterations: u64, rest: &[u64]) -> anyhow::Result<f64> {
        let fd = self.program(name)?.fd()?.try_clone()?;
        let mut arguments = vec![iterations];
        arguments.extend(rest);
        arguments.resize(4, 0);
        let took = test_run(std::os::fd::AsFd::as_fd(&fd), &arguments)?;
        let map = self
            .ebpf
            .map("BENCH_ITERATIONS")
            .context("no map BENCH_ITERATIONS")?;
        let made = Array::<_, u64>::try_from(map)?.get(&0, 0)?;
        if made != iterations {
            return Err(anyhow!("{name} made {made} of {iterations} iterations"));
        }
        Ok(took.as_secs_f64() * 1e9)
    }

    /// Returns the median time of an iteration in ns.
    fn nanos(&mut self, name: &str, iterations: u64, rest: &[u64]) -> anyhow::Result<f64> {
        let mut all = (0..RUNS)
            .map(|_| Ok(self.run(name, iterations, rest)? / f64::from(u32::try_from(iterations)?)))
            .collect::<anyhow::Result<Vec<f64>>>()?;
        all.sort_by(f64::total_cmp);
        Ok(all[RUNS / 2])
    }
}
