//! Renders the explanation of a descriptor.

use std::io::Write;

use serde::Serialize;

use pintrace_export::SCHEMA;
use pintrace_model::text::{bytes, count, printable};
use pintrace_scan::explain::DescriptorExplained;
use pintrace_scan::join::Amount;

use super::super::json::{self, AddressKeys, OpenerKeys};
use super::super::openers::place;

#[derive(Serialize)]
struct DescriptorDocument<'a> {
    schema: u32,
    version: &'static str,
    mode: &'static str,
    descriptor: DescriptorKeys<'a>,
}

#[derive(Serialize)]
struct DescriptorKeys<'a> {
    pid: u32,
    comm: &'a str,
    fd: u32,
    link: &'a str,
    kind: &'static str,
    tables: Option<Vec<TableKeys>>,
    without_tables: Option<&'static str>,
    pinned: Amount,
    opened_by: Vec<OpenerKeys>,
}

#[derive(Serialize)]
struct TableKeys {
    purpose: &'static str,
    addresses: Option<AddressKeys>,
    entries: u64,
    pinned: u64,
}

/// Writes the explanation of a descriptor.
pub(super) fn write(found: &DescriptorExplained, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        let document = DescriptorDocument {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            mode: "scan",
            descriptor: keys(found),
        };
        writeln!(out, "{}", serde_json::to_string(&document)?)?;
    } else {
        writeln!(out, "{}", text(found).join("\n"))?;
    }
    Ok(())
}

fn keys(found: &DescriptorExplained) -> DescriptorKeys<'_> {
    let tables = found.tables.as_ref().map(|tables| {
        let tables = tables.iter().map(|table| TableKeys {
            purpose: table.purpose,
            addresses: table.addresses.as_ref().map(|range| AddressKeys {
                address: range.start,
                end: range.end,
            }),
            entries: table.entries,
            pinned: table.pinned,
        });
        tables.collect()
    });
    DescriptorKeys {
        pid: found.process.pid.0,
        comm: &found.process.comm,
        fd: found.fd,
        link: &found.link,
        kind: found.kind,
        tables,
        without_tables: found.without_tables,
        pinned: found.pinned,
        opened_by: found.openers.iter().map(json::opener).collect(),
    }
}

/// Returns the lines of the text.
fn text(found: &DescriptorExplained) -> Vec<String> {
    let pid = found.process.pid.0;
    let mut lines = vec![format!(
        "descriptor {} of pid {pid} {}: {}, {}",
        found.fd,
        printable(&found.process.comm),
        found.kind,
        printable(&found.link)
    )];
    match (&found.tables, found.without_tables) {
        (Some(tables), _) if tables.is_empty() => {
            lines.push("  holds no pages: its tables are empty".to_owned());
        }
        (Some(tables), _) => {
            lines.push(format!(
                "  holds {} pins, which keep {} in place",
                count(found.pinned.pages),
                bytes(found.pinned.bytes)
            ));
            lines.extend(tables.iter().map(|table| {
                let addresses = match &table.addresses {
                    Some(range) => format!(", registered at {:#x}-{:#x}", range.start, range.end),
                    None => String::new(),
                };
                format!(
                    "    {}: {} pages, {} of them pinned{addresses}",
                    table.purpose,
                    count(table.entries),
                    count(table.pinned)
                )
            }));
        }
        (None, why) => lines.push(format!(
            "  pages held: unknown; {}",
            why.unwrap_or("pintrace cannot read the table of this file")
        )),
    }
    let open = |own: bool| {
        let all = found.openers.iter().filter(move |one| (one.pid == pid) == own);
        all.collect::<Vec<_>>()
    };
    for opener in open(true) {
        lines.push(format!("  open as {}", place(opener.place)));
    }
    let others = open(false);
    if others.is_empty() {
        lines.push("  no other process has this file open".to_owned());
    }
    for opener in others {
        lines.push(format!("  also open: pid {} {}", opener.pid, place(opener.place)));
    }
    lines
}

#[cfg(test)]
mod tests;
