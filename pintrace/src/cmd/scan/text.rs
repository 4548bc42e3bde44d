//! Renders the result of a scan as text.

use std::collections::BTreeMap;
use std::io::{self, Write};

use pintrace_events::units::Nanos;
use pintrace_kernel::descriptors::Descriptor;
use pintrace_model::text::{bytes, count, printable, span};
use pintrace_scan::kind::MemoryKind;
use pintrace_scan::open_files::{Opener, Place};
use pintrace_scan::pinned_folios::{ImplausiblePin, NotPinned};
use pintrace_scan::scan_result::{KindAmount, PinHolder, ScanProcess, ScanResult, UnknownPins};
use pintrace_text::{counted, noun, pad_left, pad_right, width};

use super::Scan;

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
/// Most ways in which a file is open that one cell names.
const MOST_OPENERS: usize = 3;

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
    if let Some(line) = exclusivity(result) {
        writeln!(out, "{line}")?;
    }
    unreadable(result, out)?;
    writeln!(out)?;
    if result.processes.is_empty() {
        let process = if scan.chosen {
            "No process given by --pid"
        } else {
            "No process"
        };
        writeln!(out, "{process} holds pinned pages.")?;
    } else {
        holders(&result.processes, pages, out)?;
    }
    unknown_pins(&result.unknown, pages, out)?;
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
        pages => format!(" (to within {} in flight)", counted(pages, "page")),
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

/// Returns the outcome of the audit of exclusive pages; `None` if no folio was checked.
fn exclusivity(result: &ScanResult) -> Option<String> {
    let audit = result.exclusivity.as_ref().filter(|audit| audit.checked > 0)?;
    let (checked, wrong) = (audit.checked, audit.not_exclusive);
    if wrong == 0 {
        return Some(format!(
            "exclusive: all {checked} pinned anonymous folios that kernel tables name"
        ));
    }
    let holders: Vec<_> = audit
        .holders
        .iter()
        .map(|one| format!("pid {} ({})", one.pid, one.folios))
        .collect();
    Some(format!(
        "ALARM: {wrong} of {checked} pinned anonymous folios are not exclusive, held by {}. The next write of the \
         process copies such a page, and the device keeps the old page. The kernel should prevent this \
         (PG_anon_exclusive): report it with the kernel's release.",
        holders.join(", ")
    ))
}

/// Writes the parts of memory that could not be read, if any.
fn unreadable(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let unreadable = &result.unreadable;
    let mut reasons: Vec<_> = result
        .not_scanned
        .iter()
        .map(|memory| format!("{} of {}", bytes(memory.pages << 12), printable(&memory.name)))
        .collect();
    if unreadable.refused > 0 {
        let processes = counted(unreadable.refused, "process");
        reasons.push(format!("page tables of {processes}"));
    }
    if unreadable.address_pages > 0 {
        reasons.push(format!(
            "{} of address space beyond the limits of a scan",
            bytes(unreadable.address_pages << 12)
        ));
    }
    if unreadable.descriptors > 0 {
        reasons.push(counted(unreadable.descriptors, "descriptor"));
    }
    if unreadable.tables > 0 {
        let files = counted(unreadable.tables, "open file");
        reasons.push(format!("the pinned pages of {files}"));
    }
    if unreadable.ended > 0 {
        reasons.push(format!(
            "{} that ended during the scan",
            counted(unreadable.ended, "process")
        ));
    }
    if !reasons.is_empty() {
        writeln!(out, "not read: {}", reasons.join(", "))?;
    }
    if let Some(why) = result.hidden_files {
        writeln!(out, "not recognized: {why}")?;
    }
    if let Some(why) = result.hidden_processes {
        writeln!(out, "not seen: {why}")?;
    }
    if result.contradicted > 0 {
        writeln!(
            out,
            "{} changed holders during the scan, and no kernel table names a holder for {}",
            counted(result.contradicted, "page"),
            if result.contradicted == 1 { "it" } else { "them" }
        )?;
    }
    if let Some(why) = &result.all_processes {
        writeln!(
            out,
            "read the page tables of all processes ({}): {why}",
            result.processes_read
        )?;
    }
    Ok(())
}

/// Writes a table of the holders, each column as wide as its longest cell.
fn holders(processes: &[ScanProcess], pages: bool, out: &mut dyn Write) -> io::Result<()> {
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

/// Returns the ways in which a file is open: first those of process `pid`, then those of others with their pids.
pub(super) fn openers(pid: u32, openers: &[Opener]) -> String {
    let mut sorted: Vec<_> = openers.iter().collect();
    sorted.sort_by_key(|opener| opener.pid != pid);
    let mut words: Vec<_> = sorted
        .iter()
        .take(MOST_OPENERS)
        .map(|opener| {
            let place = place(opener.place);
            if opener.pid == pid {
                place
            } else {
                format!("pid {} {place}", opener.pid)
            }
        })
        .collect();
    if sorted.len() > MOST_OPENERS {
        words.push(format!("{} more", sorted.len() - MOST_OPENERS));
    }
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(", ")
    }
}

/// Returns the way in which a process has a file open.
pub(super) fn place(place: Place) -> String {
    match place {
        Place::Descriptor(fd) => format!("fd {fd}"),
        Place::Mapping(address) => format!("mapping {address:#x}"),
        Place::RegisteredRing(slot) => format!("registered ring {slot}"),
    }
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

/// Returns the descriptors by kind, such as `vfio fd 4, 5`.
pub(super) fn descriptors(all: &[Descriptor]) -> String {
    let mut by_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for descriptor in all {
        by_kind
            .entry(descriptor.kind)
            .or_default()
            .push(descriptor.fd.to_string());
    }
    let words: Vec<_> = by_kind
        .into_iter()
        .map(|(kind, fds)| format!("{kind} fd {}", fds.join(" ")))
        .collect();
    words.join(", ")
}

fn unknown_pins(unknown: &UnknownPins, pages: bool, out: &mut dyn Write) -> io::Result<()> {
    for (amount, why) in [
        (&unknown.unmapped, "no process maps the pages"),
        (
            &unknown.shared,
            "several processes map the pages, and each has pinned before",
        ),
    ] {
        if !amount.is_empty() {
            writeln!(
                out,
                "\nunknown holder: {} {}, {}: {why}, and no table names them",
                count(amount.pages),
                noun(amount.pages, "page"),
                bytes(amount.bytes)
            )?;
        }
    }
    for candidate in &unknown.candidates {
        let mut why = Vec::new();
        if candidate.shared_pages > 0 {
            why.push(format!("maps {} of the pages", count(candidate.shared_pages)));
        }
        if !candidate.descriptors.is_empty() {
            why.push(format!("has open {}", descriptors(&candidate.descriptors)));
        }
        writeln!(
            out,
            "  possible holder: pid {} {}, {}",
            candidate.process.pid.0,
            printable(&candidate.process.comm),
            why.join(", ")
        )?;
    }
    if pages && !unknown.runs.is_empty() {
        writeln!(out, "\npage frame numbers of the pins with unknown holder")?;
        for run in &unknown.runs {
            let kind = run.kind.name();
            writeln!(
                out,
                "  {:#x}-{:#x}  {kind}, order {}, {} each",
                run.pfn,
                run.end(),
                run.order,
                counted(run.pins.into(), "pin")
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
        "\nheuristic false positives: {} not pinned, with 1024 references or more, so that \
         page_maybe_dma_pinned returns true",
        counted(result.implausible_count, "folio")
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
                NotPinned::Vmstat => "vmstat counts no pin of the page",
            };
            writeln!(
                out,
                "  frame {pfn:#x}  {}, {}, mapped {}: {why}",
                kind.name(),
                counted((*references).into(), "reference"),
                counted((*maps).into(), "time")
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use pintrace_kernel::vmstat::Vmstat;
    use pintrace_scan::exclusivity::{Exclusivity, NotExclusiveHolder};
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
    fn pinned_pages_that_are_not_exclusive_are_an_alarm() {
        let line = |not_exclusive, checked| {
            exclusivity(&ScanResult {
                exclusivity: Some(Exclusivity {
                    checked,
                    not_exclusive,
                    holders: vec![NotExclusiveHolder { pid: 7, folios: 2 }],
                }),
                ..ScanResult::default()
            })
        };
        let alarm = line(2, 64).unwrap();
        assert!(
            alarm.starts_with("ALARM: 2 of 64") && alarm.contains("pid 7 (2)"),
            "{alarm}"
        );
        assert!(line(0, 64).unwrap().starts_with("exclusive: all 64"));
        assert_eq!((line(0, 0), exclusivity(&ScanResult::default())), (None, None));
    }

    #[test]
    fn an_unreadable_vmstat_is_named() {
        assert_eq!(line(None), "vmstat unreadable   scan 0   bytes held 0 B");
    }
}
