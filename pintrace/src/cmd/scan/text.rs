//! Renders the result of a scan as text.

use std::io::{self, Write};

use pintrace_events::units::Nanos;
use pintrace_kernel::descriptors::Descriptor;
use pintrace_model::text::{bytes, count, printable, span};
use pintrace_scan::pinned_folios::{ImplausiblePin, NotPinned};
use pintrace_scan::scan_result::{KindAmount, ScanHolder, ScanResult};
use pintrace_text::{pad_left, pad_right, width};

use super::Scan;

/// Titles of the columns of processes. The first [`NUMBERS`] columns hold numbers.
const TITLES: [&str; 7] = [
    "PID",
    "PAGES",
    "BYTES",
    "SHARED",
    "KIND",
    "DESCRIPTORS",
    "COMMAND",
];
/// The number of columns that are aligned on the right.
const NUMBERS: usize = 4;

/// Writes the result. With `pages`, lists ranges of addresses and page frame numbers too.
pub(super) fn write(scan: &Scan, pages: bool, out: &mut dyn Write) -> io::Result<()> {
    let result = &scan.result;
    let kernel = printable(&scan.kernel);
    writeln!(
        out,
        "pintrace {}   kernel {kernel} {}",
        env!("CARGO_PKG_VERSION"),
        scan.machine
    )?;
    let memory = &result.memory;
    writeln!(
        out,
        "memory {}, {} of it free   struct pages read in {}, whole scan {}",
        bytes(memory.ram_pages << 12),
        bytes(memory.free << 12),
        span(Nanos(memory.read_ns)),
        span(Nanos(memory.took_ns)),
    )?;
    writeln!(out, "{}", balance(scan))?;
    unreadable(result, out)?;
    writeln!(out)?;
    if result.holders.is_empty() {
        let process = if scan.chosen {
            "No process given by --pid"
        } else {
            "No process"
        };
        writeln!(out, "{process} holds pinned pages.")?;
    } else {
        holders(&result.holders, pages, out)?;
    }
    unmapped_pins(result, pages, out)?;
    implausible(result, pages, out)
}

fn balance(scan: &Scan) -> String {
    let found = scan.result.pinned.pages;
    let kept = bytes(scan.result.pinned.bytes);
    let Some((balance, vmstat)) = scan
        .balance
        .and_then(|balance| balance.sums().vmstat.map(|vmstat| (balance, vmstat)))
    else {
        return format!("vmstat unreadable   scan {found}   bytes held {kept}");
    };
    let in_flight = match balance.in_flight {
        0 => String::new(),
        pages => format!(" (to within {pages} pages in flight)"),
    };
    let unaccounted = balance.sums().unaccounted();
    // A scan compares with what vmstat has counted since boot.
    let hint = if unaccounted < 0 {
        "\nunaccounted below 0: since boot, vmstat may have counted releases without their pins. Legacy direct I/O \
         (FAT, ext2 and others, since Linux 6.5) adds such pins by folio_add_pin."
    } else {
        ""
    };
    format!("vmstat {vmstat} = scan {found} + unaccounted {unaccounted}{in_flight}   bytes held {kept}{hint}")
}

/// Writes the parts of memory that could not be read, if any.
fn unreadable(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let unreadable = &result.unreadable;
    let mut reasons = Vec::new();
    if unreadable.refused > 0 {
        reasons.push(format!("page tables of {} processes", unreadable.refused));
    }
    if unreadable.address_pages > 0 {
        reasons.push(format!(
            "{} of address space beyond the limits of a scan",
            bytes(unreadable.address_pages << 12)
        ));
    }
    if unreadable.descriptors > 0 {
        reasons.push(format!("{} descriptors", unreadable.descriptors));
    }
    if unreadable.ended > 0 {
        reasons.push(format!(
            "{} processes that ended during the scan",
            unreadable.ended
        ));
    }
    if !reasons.is_empty() {
        writeln!(out, "not read: {}", reasons.join(", "))?;
    }
    if let Some(why) = &result.all_processes {
        writeln!(
            out,
            "read the page tables of all {} processes: {why}",
            result.processes_read
        )?;
    }
    Ok(())
}

/// Writes a table of the processes, each column as wide as its longest cell.
fn holders(holders: &[ScanHolder], pages: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut rows = vec![TITLES.map(str::to_owned)];
    rows.extend(holders.iter().map(row));
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
                writeln!(out, "  and {} more ranges", holder.more_ranges)?;
            }
        }
    }
    Ok(())
}

fn row(holder: &ScanHolder) -> [String; 7] {
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

/// Returns a kind of memory with its folio size, such as `anon 4 KiB`.
fn kind(part: &KindAmount) -> String {
    format!("{} {}", part.kind.name(), bytes(4096 << part.order.min(40)))
}

/// Returns the descriptors by kind, such as `io_uring (1024 pages), vfio x2`.
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

fn unmapped_pins(result: &ScanResult, pages: bool, out: &mut dyn Write) -> io::Result<()> {
    let unmapped_pins = &result.unmapped_pins;
    if unmapped_pins.unmapped.is_empty() {
        return Ok(());
    }
    if unmapped_pins.pages() > 0 {
        let kinds: Vec<_> = unmapped_pins.parts.iter().map(kind).collect();
        writeln!(
            out,
            "\n{} pinned pages that no process maps and no descriptor explains: {}",
            unmapped_pins.pages(),
            kinds.join(", ")
        )?;
        for (process, open) in &unmapped_pins.candidates {
            let name = printable(&process.comm);
            writeln!(
                out,
                "  possible holder: pid {} {name}, {}",
                process.pid.0,
                descriptors(open)
            )?;
        }
    }
    if pages {
        writeln!(
            out,
            "\npage frame numbers of the {} pinned pages that no process maps",
            unmapped_pins.unmapped.pages
        )?;
        for run in &unmapped_pins.runs {
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

fn implausible(result: &ScanResult, pages: bool, out: &mut dyn Write) -> io::Result<()> {
    if result.implausible_count == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "\nheuristic false positives: {} folios are not pinned and have 1024 references or more, \
         so page_maybe_dma_pinned takes them for pinned",
        result.implausible_count
    )?;
    if pages {
        for ImplausiblePin {
            pfn,
            kind,
            references,
            maps,
            why,
        } in &result.implausible
        {
            let why = match why {
                NotPinned::Mapped => "page tables hold the references",
                NotPinned::Kernel => "the kernel holds the references",
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

#[cfg(test)]
mod tests {
    use pintrace_kernel::vmstat::Vmstat;
    use pintrace_source::baseline::around_scan;

    use super::*;

    /// Returns the balance line of a machine without pinned pages.
    fn line(vmstat: Option<Vmstat>) -> String {
        balance(&Scan {
            kernel: String::new(),
            machine: String::new(),
            result: ScanResult::default(),
            balance: vmstat.map(|vmstat| around_scan(vmstat, vmstat, 0)),
            chosen: false,
        })
    }

    #[test]
    fn releases_that_vmstat_counts_without_their_pins_are_explained() {
        let short = line(Some(Vmstat {
            acquired: 64,
            released: 192,
        }));
        assert!(
            short.starts_with("vmstat -128 = scan 0 + unaccounted -128 "),
            "{short}"
        );
        assert!(short.contains("folio_add_pin"), "{short}");
    }

    #[test]
    fn a_balance_without_difference_needs_no_explanation() {
        let even = line(Some(Vmstat {
            acquired: 64,
            released: 64,
        }));
        assert_eq!(even, "vmstat 0 = scan 0 + unaccounted 0   bytes held 0 B");
    }

    #[test]
    fn an_unreadable_vmstat_is_named() {
        assert_eq!(line(None), "vmstat unreadable   scan 0   bytes held 0 B");
    }
}
