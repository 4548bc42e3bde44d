//! Renders the result of a scan as text.

use std::io::{self, Write};

use pintrace_events::units::Nanos;
use pintrace_model::text::{bytes, count, printable, span};
use pintrace_scan::pinned_folios::{ImplausiblePin, NotPinned};
use pintrace_scan::scan_result::{ScanResult, UnknownPins};
use pintrace_text::{counted, noun};

use super::Scan;
use super::holder_table;
use super::openers::descriptors;

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
        holder_table::write(&result.processes, pages, out)?;
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
