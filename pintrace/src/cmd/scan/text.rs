//! A scan for the eye.

use std::io::{self, Write};

use pintrace_events::units::Nanos;
use pintrace_kernel::descriptors::Descriptor;
use pintrace_model::text::{bytes, count, printable, span};
use pintrace_scan::found::{Doubt, Doubtful};
use pintrace_scan::look::{Holder, Look, Part};

use super::Scan;

/// Writes it; `pages` adds the lists.
pub(super) fn write(scan: &Scan, pages: bool, out: &mut dyn Write) -> io::Result<()> {
    let look = &scan.look;
    let kernel = printable(&scan.kernel);
    writeln!(
        out,
        "pintrace {}   kernel {kernel} {}",
        env!("CARGO_PKG_VERSION"),
        scan.machine
    )?;
    let memory = &look.memory;
    writeln!(
        out,
        "memory {}, of which {} free   struct pages read in {}, all in {}",
        bytes(memory.ram_pages << 12),
        bytes(memory.free << 12),
        span(Nanos(memory.read_ns)),
        span(Nanos(memory.took_ns)),
    )?;
    writeln!(out, "{}", truth(scan))?;
    unseen(look, out)?;
    writeln!(out)?;
    if look.holders.is_empty() {
        let who = if scan.chosen {
            "None of these processes"
        } else {
            "No process"
        };
        writeln!(out, "{who} holds pinned pages.")?;
    } else {
        holders(&look.holders, pages, out)?;
    }
    orphans(look, pages, out)?;
    doubtful(look, pages, out)
}

fn truth(scan: &Scan) -> String {
    let found = scan.look.pinned.pages;
    let kept = bytes(scan.look.pinned.bytes);
    let Some((truth, books)) = scan
        .truth
        .and_then(|truth| truth.balance().books.map(|books| (truth, books)))
    else {
        return format!("books unreadable   found {found} pages, {kept} kept in place");
    };
    let under_way = match truth.in_flight {
        0 => String::new(),
        pages => format!(" (to within {pages} pinned or released meanwhile)"),
    };
    format!(
        "books {books} = found {found} + unaccounted {}{under_way}   {kept} kept in place",
        truth.balance().unaccounted(),
    )
}

/// What was not seen, in words; nothing if everything was.
fn unseen(look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let unseen = &look.unseen;
    let mut reasons = Vec::new();
    if unseen.refused > 0 {
        reasons.push(format!("page tables of {} processes refused", unseen.refused));
    }
    if unseen.address_pages > 0 {
        reasons.push(format!(
            "{} of address space too much to read",
            bytes(unseen.address_pages << 12)
        ));
    }
    if unseen.descriptors > 0 {
        reasons.push(format!("{} descriptors unreadable", unseen.descriptors));
    }
    if unseen.ended > 0 {
        reasons.push(format!("{} processes ended meanwhile", unseen.ended));
    }
    if !reasons.is_empty() {
        writeln!(out, "not seen: {}", reasons.join(", "))?;
    }
    if let Some(why) = &look.all_processes {
        writeln!(
            out,
            "read the page tables of all {} processes: {why}",
            look.processes_read
        )?;
    }
    Ok(())
}

/// Columns: PID, PAGES, BYTES, SHARED, then as long as they are KIND, HOLDS THEM BY, COMMAND.
fn holders(holders: &[Holder], pages: bool, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<[String; 7]> = holders.iter().map(row).collect();
    let titles = ["PID", "PAGES", "BYTES", "SHARED", "KIND", "MAY BE BY", "COMMAND"];
    let mut widths = titles.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut line = |cells: &[String; 7]| {
        let [pid, held, kept, shared, kind, by, command] = widths;
        let text = format!(
            "{:>pid$}  {:>held$}  {:>kept$}  {:>shared$}  {:<kind$}  {:<by$}  {:<command$}",
            cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6],
        );
        writeln!(out, "{}", text.trim_end())
    };
    line(&titles.map(str::to_owned))?;
    for row in &rows {
        line(row)?;
    }
    if pages {
        for holder in holders {
            writeln!(out, "\npid {}: addresses of pinned pages", holder.process.pid.0)?;
            for range in &holder.ranges {
                let number = (range.end - range.address) >> 12;
                writeln!(
                    out,
                    "  {:#x}-{:#x}  {number} pages, the first is frame {:#x}",
                    range.address, range.end, range.pfn
                )?;
            }
            if holder.more_ranges > 0 {
                writeln!(out, "  and {} more", holder.more_ranges)?;
            }
        }
    }
    Ok(())
}

fn row(holder: &Holder) -> [String; 7] {
    let process = &holder.process;
    let command = if process.cmdline.is_empty() {
        &process.comm
    } else {
        &process.cmdline
    };
    let mut kinds: Vec<_> = holder.parts.iter().map(kind).collect();
    if holder.by_descriptor > 0 {
        kinds.push("unmapped".to_owned());
    }
    [
        process.pid.0.to_string(),
        count(holder.pages()),
        bytes(holder.counted.bytes),
        count(holder.shared.pages),
        kinds.join(", "),
        descriptors(&holder.descriptors),
        printable(command),
    ]
}

/// A kind with its page size: `anon 4 KiB`.
fn kind(part: &Part) -> String {
    format!("{} {}", part.kind.name(), bytes(4096 << part.order.min(40)))
}

/// Descriptors, those of a kind together: `io_uring (1024 pages), vfio x2`.
fn descriptors(all: &[Descriptor]) -> String {
    let mut kinds: Vec<&str> = all.iter().map(|descriptor| descriptor.kind.as_str()).collect();
    kinds.dedup();
    kinds.sort_unstable();
    kinds.dedup();
    let words: Vec<_> = kinds
        .into_iter()
        .map(|kind| {
            let of_kind = || all.iter().filter(|descriptor| descriptor.kind == kind);
            let times = match of_kind().count() {
                1 => String::new(),
                times => format!(" x{times}"),
            };
            let known: Vec<u64> = of_kind().filter_map(|descriptor| descriptor.pages).collect();
            if known.is_empty() {
                format!("{kind}{times}")
            } else {
                format!("{kind}{times} ({} pages)", known.iter().sum::<u64>())
            }
        })
        .collect();
    words.join(", ")
}

fn orphans(look: &Look, pages: bool, out: &mut dyn Write) -> io::Result<()> {
    let orphans = &look.orphans;
    if orphans.unmapped.is_empty() {
        return Ok(());
    }
    if orphans.pages() > 0 {
        let kinds: Vec<_> = orphans.parts.iter().map(kind).collect();
        writeln!(
            out,
            "\n{} pages that no process maps, and no descriptor explains: {}",
            orphans.pages(),
            kinds.join(", ")
        )?;
        for (process, open) in &orphans.candidates {
            let name = printable(&process.comm);
            writeln!(
                out,
                "  pid {} {name} may hold them: {}",
                process.pid.0,
                descriptors(open)
            )?;
        }
    }
    if pages {
        writeln!(
            out,
            "\nframes of the {} pages that no process maps",
            orphans.unmapped.pages
        )?;
        for run in &orphans.runs {
            let kind = run.kind.name();
            writeln!(
                out,
                "  {:#x}-{:#x}  {kind}, order {}, {} pins each",
                run.pfn,
                run.end(),
                run.order,
                run.pins
            )?;
        }
    }
    Ok(())
}

fn doubtful(look: &Look, pages: bool, out: &mut dyn Write) -> io::Result<()> {
    if look.doubtful_count == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "\nheuristic-wrong: {} pages look pinned (1024 references and more) and are not",
        look.doubtful_count
    )?;
    if pages {
        for Doubtful {
            pfn,
            kind,
            references,
            maps,
            why,
        } in &look.doubtful
        {
            let why = match why {
                Doubt::Mapped => "by those that map it",
                Doubt::Kernel => "the kernel's own",
            };
            writeln!(
                out,
                "  frame {pfn:#x}  {}, {references} references, mapped {maps} times: {why}",
                kind.name()
            )?;
        }
    }
    Ok(())
}
