//! The text of docs/performance.md.

use std::fmt::Write;

use super::super::figure::Figure;
use super::super::result::{BenchResult, Member};
use super::super::table;
use super::{growth, plots, targets};

const BEGIN: &str = "\
# Performance

`cargo xtask bench report` generates this page from the figures in `docs/performance`. The command
below each heading measures the figures of that section. Without `--update`, the command prints the
figures. With `--update`, the command replaces the stored figures. With `--check`, the command
compares the measured figures with the stored figures, and fails if one is worse than its margin
allows. A number in parentheses is the ratio to the reference of the same run.

## Method

The guests run under QEMU's emulator with `-icount`: the clock of the guest advances by 2 ns for
each instruction. A time in a guest is therefore a count of instructions, and is the same on a busy
host. Such a time does not show the effects of caches, branch prediction and several processors. All
kinds of runs of one kernel happen in one guest. Each figure is the median of the runs (`--runs`). A
run that is slower than the fastest run of its kind by a factor of more than 2 has waited for a timer
of a device: the rule drops such a run, and the command says so.

`core`, `scan`, `user` and `tui` run on the machine itself, five times, and each figure is the best
value of the five runs, because other work on the machine makes figures only worse. Compare only
ratios: their reference was measured in the same runs. The reference of `user` and `tui` is one
insertion into and one removal from a `BTreeMap` of 100,000 numbers.
";

/// Returns the page. A benchmark without figures is not measured.
pub(super) fn text(results: &[(Member, Option<BenchResult>)]) -> String {
    let mut page = BEGIN.to_owned();
    page.push_str(&targets::text(results));
    for (member, result) in results {
        let (title, explanation) = section(*member);
        let _ = write!(
            page,
            "\n## {title}\n\n```sh\ncargo xtask bench {} --update\n```\n\n{explanation}\n",
            member.name()
        );
        match result {
            None => page.push_str("\nnot measured\n"),
            Some(result) => add(&mut page, *member, result),
        }
        if let (Member::User, Some(result)) = (member, result) {
            page.push_str(&growth::text(result));
        }
    }
    page
}

fn add(page: &mut String, member: Member, result: &BenchResult) {
    let _ = writeln!(page, "\nMachine: {}.", result.machine);
    let _ = writeln!(page, "\nMargin of `--check`: {}.", margins(result));
    for place in result.distinct(|figure| &figure.place) {
        let kernel = result
            .kernels
            .iter()
            .find_map(|kernel| kernel.strip_prefix(place)?.strip_prefix(": "));
        if let Some(kernel) = kernel {
            let _ = write!(page, "\n### {place}\n\nKernel {kernel}.\n");
        }
        let _ = write!(page, "\n{}", table::markdown(result, place));
        if let Some(name) = plots::name(member, place) {
            let _ = write!(page, "\n![{name}](performance/{name}.svg)\n");
        }
    }
}

/// Returns the margins of the compared figures.
fn margins(result: &BenchResult) -> String {
    let mut margins: Vec<String> = Vec::new();
    for figure in &result.figures {
        let Some(margin) = figure.margin else {
            continue;
        };
        let margin = format!("{:.0} % ({})", margin * 100.0, compared(figure));
        if !margins.contains(&margin) {
            margins.push(margin);
        }
    }
    margins.join(", ")
}

/// Returns the number of a figure that is compared.
fn compared(figure: &Figure) -> String {
    if figure.ratio.is_some() {
        "ratios".to_owned()
    } else {
        match figure.unit.as_str() {
            "" => "values".to_owned(),
            unit => format!("values in {unit}"),
        }
    }
}

/// Returns the title and the explanation of a section.
const fn section(member: Member) -> (&'static str, &'static str) {
    match member {
        Member::Overhead => (
            "Programs under a session",
            "\
fio reads from null_blk, which completes each request inside the submission: without batches, a
second request is never in flight, and the depths 1 and 32 cost the same. `register-buffers`
registers 64 MiB as a buffer of an io_uring and removes the buffer: 16,384 long-term pins. All other
workloads pin nothing: one process with an idle second thread makes the operation, and the time is
that of one operation. `record` runs with a command, so its finding hooks are attached from the
start. The finding hooks of `serve` wait until memory is pinned: in `serve, no pins` they wait, and
in `serve` fio and `register-buffers` have pinned memory before. The script for bpftrace
(`xtask/src/bench/pins.bt`) keeps time, process and kernel stack of each pinned page and a histogram
of hold times. The script sees at most 64 pages of each call, so `register-buffers` costs the script
less than it would cost a complete one. A kind of
run without a column has no figure on that kernel.",
        ),
        Member::Attach => (
            "Attach and detach",
            "\
The guest is idle, or 64 threads of the lowest priority compute and pause in turn. The bystander
maps, touches and unmaps a page again and again. The time lost is the time that its operations took
longer than without pintrace; on the single processor of the guest, this includes the time in which
pintrace ran.",
        ),
        Member::LostCalls => (
            "Skipped calls",
            "\
20 threads of fio read 64 pages a call from the emulated disk for 10 seconds. Each figure is the
median of three runs. A kernel that preempts itself skips a program while the same program is
interrupted on the same CPU. A lost call is a pin or release call that neither a program nor its
backup saw; the loss counter `recursion_missed` counts it. A call in no counter would be one that only
the counters of vmstat show. How many calls are lost depends on how the host schedules the two
processors of the guest.",
        ),
        Member::Programs => (
            "Programs that have nothing to do",
            "\
The run time of one run of a program, by the kernel's BPF statistics, which include a reading of the
clock in each row. The empty program is one of bpftrace on `do_wp_page` whose body is empty. While the
copy hook is measured, another process has pinned a page.",
        ),
        Member::Daemon => (
            "The daemon",
            "\
`pintrace serve` over a minute: at rest, and with a million registered buffers of one page each, of
which each is an extent. The CPU time is that of all threads. The guest has 7 GiB, so the room for
extents is set to that of a machine of 256 GiB. The memory of the maps is `memlock` of their
descriptors.",
        ),
        Member::Top => (
            "The live view in a guest",
            "\
`pintrace top` shows 98,304 extents in six processes on a terminal of 120 by 40, once a second: without
changes, and while short processes that pin one page follow one another. The CPU time is that of all threads. A
second of this clock is 500 million instructions, about a sixth of what a processor does.",
        ),
        Member::Core => (
            "The ledger",
            "\
The bench runs the functions that the hooks call, over synthetic struct pages. A row is one pin call
with its release. `chunks` is the table of pintrace, and the other columns are tables for
comparison. The reference is one update, lookup and deletion of a BPF hash map.",
        ),
        Member::Scan => (
            "Scan of memory",
            "\
One scan of all struct pages. The reference is a plain loop over as many bytes.",
        ),
        Member::User => (
            "User space",
            "\
`decode` reads a record of the ring buffer, `track` turns a record into an event, `fold` applies an
event to the model. On preemptible kernels, a separate program stores the stack of a pin after the
record, so `track` reads one BPF map for each opened extent. This read is one bpf(2) call, and most
of the time of `track, stacks that come later`. A `sample` happens once in a tick: the programs set a
byte for each extent that has changed, in a map that user space shares, and a sample looks at the
bytes and reads the extents that have changed, which are none here. `fold, with N extents open` has extents with an mm and an open file, which
the model finds by both; the extents of `fold, extents opened and closed` have neither. A snapshot
includes the fold of the changes since the last snapshot. `encode` compresses events, `write` also
writes the file, `read` decompresses and decodes. The time and the allocated bytes are those of one
record, event, sample or snapshot. The memory is that of the heap; `resident` is the memory of a
process with tracker, model and a snapshot.",
        ),
        Member::Tui => (
            "Live view",
            "\
The time and the allocated bytes of one frame, each after a new snapshot.",
        ),
    }
}
