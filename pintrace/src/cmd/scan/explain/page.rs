//! Renders the explanation of a page.

use std::fmt::Write as _;
use std::io::Write;

use serde::Serialize;

use pintrace_events::Evidence;
use pintrace_export::SCHEMA;
use pintrace_kernel::vma::Vma;
use pintrace_model::text::{bytes, printable};
use pintrace_scan::explain::{
    FileIdentity, FolioPlace, Mapper, Migration, PageExplained, PinsOnPage, References,
};
use pintrace_scan::kind::MemoryKind;
use pintrace_scan::pinned_folios::NotPinned;
use pintrace_scan::scan_result::Candidate;

use super::super::json::{self, CandidateKeys, OpenerKeys};
use super::super::openers::{descriptors, openers};
use super::{Located, State};

#[derive(Serialize)]
struct PageDocument<'a> {
    schema: u32,
    version: &'static str,
    mode: &'static str,
    address: Option<AddressKeys<'a>>,
    page: Option<PageKeys<'a>>,
}

#[derive(Serialize)]
struct AddressKeys<'a> {
    pid: u32,
    address: u64,
    state: State,
    mapping: &'a Vma,
}

#[derive(Serialize)]
struct PageKeys<'a> {
    pfn: u64,
    folio: FolioPlace,
    flags: Option<&'a [&'static str]>,
    kind: Option<&'static str>,
    exclusive: Option<bool>,
    file: Option<&'a FileIdentity>,
    references: References,
    holders: Vec<HolderKeys<'a>>,
    unknown_pins: u64,
    candidates: Vec<CandidateKeys<'a>>,
    not_pinned: Option<NotPinned>,
    mapped_by: &'a [Mapper],
    more_mappings: bool,
    migration: Migration,
    changed: bool,
}

/// The pins of a holder.
#[derive(Serialize)]
pub(super) struct HolderKeys<'a> {
    pid: u32,
    comm: &'a str,
    cmdline: &'a str,
    subsystem: &'static str,
    evidence: Evidence,
    pins: u64,
    opened_by: Vec<OpenerKeys>,
}

/// Writes the explanation of a page. The page is `None` if none is in memory at the address.
pub(super) fn write(
    address: Option<&Located>,
    page: Option<&PageExplained>,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if json {
        let document = PageDocument {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            mode: "scan",
            address: address.map(|found| AddressKeys {
                pid: found.pid,
                address: found.address,
                state: found.state,
                mapping: &found.vma,
            }),
            page: page.map(keys),
        };
        writeln!(out, "{}", serde_json::to_string(&document)?)?;
        return Ok(());
    }
    let mut lines = Vec::new();
    if let Some(address) = address {
        lines.push(address_line(address));
    }
    if let Some(page) = page {
        lines.extend(text(page));
    }
    writeln!(out, "{}", lines.join("\n"))?;
    Ok(())
}

fn keys(page: &PageExplained) -> PageKeys<'_> {
    PageKeys {
        pfn: page.pfn,
        folio: page.folio,
        flags: page.flags.as_deref(),
        kind: page.kind.map(MemoryKind::name),
        exclusive: page.exclusive,
        file: page.file.as_ref(),
        references: page.references,
        holders: page.holders.iter().map(holder_keys).collect(),
        unknown_pins: page.unknown_pins,
        candidates: page.candidates.iter().map(json::candidate).collect(),
        not_pinned: page.not_pinned,
        mapped_by: &page.mapped_by,
        more_mappings: page.more_mappings,
        migration: page.migration,
        changed: page.changed,
    }
}

pub(super) fn holder_keys(holder: &PinsOnPage) -> HolderKeys<'_> {
    HolderKeys {
        pid: holder.process.pid.0,
        comm: &holder.process.comm,
        cmdline: &holder.process.cmdline,
        subsystem: holder.subsystem,
        evidence: holder.evidence,
        pins: holder.pins,
        opened_by: holder.openers.iter().map(json::opener).collect(),
    }
}

fn address_line(found: &Located) -> String {
    let vma = &found.vma;
    let name = if vma.name.is_empty() {
        "anonymous memory"
    } else {
        &vma.name
    };
    let (pid, address) = (found.pid, found.address);
    let state = match found.state {
        State::Present => "",
        State::Swapped => ": the page is in swap or in migration, so no page in memory is pinned there",
        State::NotPopulated => {
            ": no page is mapped there; the process has not touched the page, or has dropped it"
        }
    };
    format!(
        "address {address:#x} of pid {pid} in {:#x}-{:#x} {} {}{state}",
        vma.start,
        vma.end,
        vma.permissions,
        printable(name)
    )
}

/// Returns the lines of the text.
fn text(page: &PageExplained) -> Vec<String> {
    let mut lines = vec![folio(page)];
    if let Some(flags) = &page.flags {
        let flags = if flags.is_empty() {
            "none".to_owned()
        } else {
            flags.join(" ")
        };
        lines.push(format!("  flags: {flags}"));
    }
    if let Some(kind) = page.kind {
        lines.push(format!("  memory: {}", memory(page, kind.name())));
    }
    lines.extend(references(page));
    if let Some(why) = page.not_pinned {
        let why = match why {
            NotPinned::Mapped => "page tables hold the references",
            NotPinned::Kernel => "the kernel holds the references",
            NotPinned::Vmstat => "vmstat counts no pin of the page",
        };
        lines.push(format!(
            "  not pinned, although it looks pinned (page_maybe_dma_pinned): {why}"
        ));
    }
    lines.extend(page.candidates.iter().map(candidate_line));
    if page.changed {
        lines.push("  the pins changed during the scan: run the command again".to_owned());
    }
    lines.push(format!("  migration and unplug: {}", migration(page)));
    lines
}

/// Returns the line of a process that may hold the pins whose holder is unknown.
pub(super) fn candidate_line(candidate: &Candidate) -> String {
    let descriptors = if candidate.descriptors.is_empty() {
        String::new()
    } else {
        format!(", has open {}", descriptors(&candidate.descriptors))
    };
    format!(
        "  possible holder of the pins with unknown holder: pid {} {}{descriptors}",
        candidate.process.pid.0,
        printable(&candidate.process.comm)
    )
}

fn folio(page: &PageExplained) -> String {
    let FolioPlace { pfn, order, page: of } = page.folio;
    if order == 0 {
        return format!("frame {:#x}: a page of 4 KiB", page.pfn);
    }
    format!(
        "frame {:#x}: page {of} of a folio of {} pages (order {order}, {}) that begins at frame {pfn:#x}",
        page.pfn,
        1u64 << order,
        bytes(4096 << order.min(40)),
    )
}

fn memory(page: &PageExplained, kind: &str) -> String {
    let mut text = match kind {
        "other" => "neither anonymous nor of a file: of a driver, or of a file that was truncated".to_owned(),
        kind => kind.to_owned(),
    };
    match page.exclusive {
        Some(true) => text.push_str(", exclusive to one process"),
        Some(false) => text.push_str(", not exclusive: it may be shared by fork, and is copied on write"),
        None => {}
    }
    if let Some(file) = &page.file {
        let path = file.path.as_deref().unwrap_or(match page.references.mappings {
            Some(0) => "which no process maps",
            _ => "path unknown",
        });
        let _ = write!(
            text,
            ", {} (device {}, inode {})",
            printable(path),
            file.device,
            file.inode
        );
    }
    text
}

/// Returns the lines that take the reference count apart.
fn references(page: &PageExplained) -> Vec<String> {
    let parts = &page.references;
    let mut lines = vec![format!("  references: {}", parts.total)];
    let mut part = |count: u64, what: &str| {
        if count > 0 {
            lines.push(format!("    {count:>8}  {what}"));
        }
    };
    let pins = match parts.pins {
        1 => "1 pin".to_owned(),
        pins => format!("{pins} pins"),
    };
    if parts.of_pins == parts.pins {
        part(parts.of_pins, &pins);
    } else {
        part(parts.of_pins, &format!("{pins}, each of which counts 1024"));
    }
    for holder in &page.holders {
        part(holder.pins, &format!("  {}", holder_text(holder)));
    }
    part(page.unknown_pins, "  with unknown holder");
    part(parts.mappings.unwrap_or(0), "mappings");
    let mapped = page.mapped_by.iter().map(|mapper| {
        let name = if mapper.name.is_empty() {
            String::new()
        } else {
            format!(" {}", printable(&mapper.name))
        };
        format!("              pid {} at {:#x}{name}", mapper.pid, mapper.address)
    });
    lines.extend(mapped);
    if page.more_mappings {
        lines.push("              and more, which were not searched".to_owned());
    }
    let mut part = |count: u64, what: &str| {
        if count > 0 {
            lines.push(format!("    {count:>8}  {what}"));
        }
    };
    part(parts.page_cache, "page cache");
    part(parts.swap_cache, "swap cache");
    part(parts.private_data, "private data of the file system");
    match parts.unexplained {
        Some(0) => {}
        Some(count) if page.migration == Migration::Kernel => {
            part(count.unsigned_abs(), "of the kernel or a driver");
        }
        Some(count) => lines.push(format!(
            "    {count:>8}  that nothing explains: an I/O, a pipe, a FOLL_GET reference, or a page on its way to the LRU"
        )),
        None => lines.push("           ?  the number of mappings is unknown on this kernel".to_owned()),
    }
    lines
}

pub(super) fn holder_text(holder: &PinsOnPage) -> String {
    let process = &holder.process;
    let subsystem = if holder.subsystem.is_empty() {
        "unknown subsystem"
    } else {
        holder.subsystem
    };
    let open = if holder.openers.is_empty() {
        String::new()
    } else {
        format!(", {}", openers(process.pid.0, &holder.openers))
    };
    format!(
        "pid {} {}: {subsystem}{open} ({})",
        process.pid.0,
        printable(&process.comm),
        holder.evidence.name()
    )
}

fn migration(page: &PageExplained) -> String {
    match page.migration {
        Migration::Free => "the page is free.".to_owned(),
        Migration::Possible => "possible; no reference stands in the way.".to_owned(),
        Migration::Pinned => {
            let by = match page.holders.as_slice() {
                [] => "the unknown holder releases its pins".to_owned(),
                [holder] if page.unknown_pins == 0 => {
                    format!("pid {} releases its pins", holder.process.pid.0)
                }
                _ => "all holders release their pins".to_owned(),
            };
            format!("impossible until {by}.")
        }
        Migration::Referenced => {
            "impossible while the references that nothing explains last; most last for the time of one I/O."
                .to_owned()
        }
        Migration::Kernel => {
            "the kernel or a driver owns the page; only a few drivers let their pages be migrated.".to_owned()
        }
        Migration::Poisoned => "impossible; the memory is broken (hwpoison).".to_owned(),
    }
}

#[cfg(test)]
mod tests;
