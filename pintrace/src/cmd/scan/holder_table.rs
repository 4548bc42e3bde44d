//! The table of the holders that a scan found.

use std::io::{self, Write};

use pintrace_model::text::{bytes, count, printable};
use pintrace_scan::kind::MemoryKind;
use pintrace_scan::scan_result::{KindAmount, PinHolder, ScanProcess};
use pintrace_text::{counted, pad_left, pad_right, width};

use super::openers::openers;

/// Titles of the columns of holders. The first [`NUMBERS`] columns hold numbers.
const TITLES: [&str; 8] = [
    "PID",
    "PAGES",
    "BYTES",
    "SUBSYSTEM",
    "OPEN AS",
    "EVIDENCE",
    "KIND",
    "COMMAND",
];
/// The number of columns that are aligned on the right.
const NUMBERS: usize = 3;

/// Writes a table of the holders, each column as wide as its longest cell.
pub(super) fn write(processes: &[ScanProcess], pages: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = vec![TITLES.map(str::to_owned)];
    for process in processes {
        rows.extend(process.holders.iter().map(|holder| row(process, holder)));
    }
    let mut widths = [0; TITLES.len()];
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    for row in &rows {
        let cells = row.iter().zip(widths).enumerate();
        let padded: Vec<_> = cells
            .map(|(column, (cell, width))| match column {
                0..NUMBERS => pad_left(cell, width),
                _ => pad_right(cell, width),
            })
            .collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    if pages {
        for process in processes {
            writeln!(out, "\npid {}: addresses of pinned pages", process.process.pid.0)?;
            for range in &process.ranges {
                let number = (range.end - range.address) >> 12;
                writeln!(
                    out,
                    "  {:#x}-{:#x}  {}, the first is frame {:#x}",
                    range.address,
                    range.end,
                    counted(number, "page"),
                    range.pfn
                )?;
            }
            if process.more_ranges > 0 {
                writeln!(out, "  and {}", counted(process.more_ranges, "more range"))?;
            }
        }
    }
    Ok(())
}

fn row(process: &ScanProcess, holder: &PinHolder) -> [String; 8] {
    let seen = &process.process;
    let command = if seen.cmdline.is_empty() {
        &seen.comm
    } else {
        &seen.cmdline
    };
    let subsystem = if holder.subsystem.is_empty() {
        "-"
    } else {
        holder.subsystem
    };
    [
        seen.pid.0.to_string(),
        count(holder.amount.pages),
        bytes(holder.amount.bytes),
        subsystem.to_owned(),
        openers(seen.pid.0, &holder.openers),
        holder.evidence.name().to_owned(),
        kinds(holder),
        printable(command),
    ]
}

/// Returns a kind of memory with its folio size, such as `anon 4 KiB`.
fn kind(part: &KindAmount) -> String {
    format!("{} {}", part.kind.name(), bytes(4096 << part.order.min(40)))
}

/// Returns the kinds of memory, such as `anon 4 KiB (private copy of /usr/lib/name)`. The number of pages is added where
/// only a part of the anonymous pages is a copy of the file.
fn kinds(holder: &PinHolder) -> String {
    let parts = KindAmount::of_runs(&holder.runs);
    let anon = parts.iter().filter(|part| part.kind == MemoryKind::Anon);
    let anon: u64 = anon.map(|part| part.amount.bytes >> 12).sum();
    let kinds = parts.iter().map(kind).collect::<Vec<_>>().join(", ");
    let copies = holder.private_copies.iter().map(|copies| {
        let file = printable(&copies.file);
        if copies.pages == anon {
            format!("private copy of {file}")
        } else {
            format!("{}: private copy of {file}", counted(copies.pages, "page"))
        }
    });
    let copies: Vec<_> = copies.collect();
    if copies.is_empty() {
        kinds
    } else {
        format!("{kinds} ({})", copies.join(", "))
    }
}
