//! Renders the pinned folios of a range of frames.

use std::io::Write;
use std::ops::Range;

use serde::Serialize;

use pintrace_export::SCHEMA;
use pintrace_model::text::bytes;
use pintrace_scan::explain::{PinnedFrames, RangeExplained};
use pintrace_text::{counted, pad_right};

use super::super::json::{self, CandidateKeys};
use super::page::{HolderKeys, candidate_line, holder_keys, holder_text};

#[derive(Serialize)]
struct RangeDocument<'a> {
    schema: u32,
    version: &'static str,
    mode: &'static str,
    range: RangeKeys<'a>,
}

#[derive(Serialize)]
struct RangeKeys<'a> {
    first: u64,
    last: u64,
    not_read: u64,
    pinned_frames: u64,
    folios: Vec<FoliosKeys<'a>>,
    candidates: Vec<CandidateKeys<'a>>,
}

#[derive(Serialize)]
struct FoliosKeys<'a> {
    first: u64,
    last: u64,
    order: u8,
    kind: &'static str,
    pins: u32,
    holder: Option<HolderKeys<'a>>,
}

/// Writes the pinned folios of a range.
pub(super) fn write(
    range: &Range<u64>,
    found: &RangeExplained,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if json {
        let document = RangeDocument {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            mode: "scan",
            range: RangeKeys {
                first: range.start,
                last: range.end - 1,
                not_read: found.not_read,
                pinned_frames: found.pinned_frames,
                folios: found.rows.iter().map(keys).collect(),
                candidates: found.candidates.iter().map(json::candidate).collect(),
            },
        };
        writeln!(out, "{}", serde_json::to_string(&document)?)?;
    } else {
        writeln!(out, "{}", text(range, found).join("\n"))?;
    }
    Ok(())
}

fn keys(row: &PinnedFrames) -> FoliosKeys<'_> {
    FoliosKeys {
        first: row.frames.start,
        last: row.frames.end - 1,
        order: row.order,
        kind: row.kind.name(),
        pins: row.pins,
        holder: row.holder.as_ref().map(holder_keys),
    }
}

fn text(range: &Range<u64>, found: &RangeExplained) -> Vec<String> {
    let frames = range.end - range.start;
    let pinned = match found.pinned_frames {
        0 => "none of them pinned. `pintrace scan --pfn N` says what else refers to a frame".to_owned(),
        pinned => format!("{pinned} of them pinned"),
    };
    let mut lines = vec![format!(
        "frames {}: {}, {pinned}",
        span(range),
        counted(frames, "frame")
    )];
    if found.not_read > 0 {
        lines.push(format!(
            "  {} not read: no System RAM (/proc/iomem)",
            counted(found.not_read, "frame")
        ));
    }
    let cells: Vec<_> = found.rows.iter().map(cells).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    for [frames, amount, pins, holder] in &cells {
        let [one, two, three] = widths;
        lines.push(format!(
            "  {}  {}  {}  {holder}",
            pad_right(frames, one),
            pad_right(amount, two),
            pad_right(pins, three)
        ));
    }
    lines.extend(found.candidates.iter().map(candidate_line));
    lines
}

fn cells(row: &PinnedFrames) -> [String; 4] {
    let folios = (row.frames.end - row.frames.start) >> row.order;
    let size = bytes(4096 << row.order.min(40));
    let each = if folios == 1 { "" } else { " each" };
    [
        span(&row.frames),
        format!("{folios} x {} {size}", row.kind.name()),
        format!("{}{each}", counted(row.pins.into(), "pin")),
        row.holder
            .as_ref()
            .map_or_else(|| "holder unknown".to_owned(), holder_text),
    ]
}

/// Returns the first and the last frame.
fn span(frames: &Range<u64>) -> String {
    let last = frames.end - 1;
    if frames.start == last {
        format!("{last:#x}")
    } else {
        format!("{:#x}-{last:#x}", frames.start)
    }
}

#[cfg(test)]
mod tests {
    use pintrace_events::{Evidence, ProcessSeen};
    use pintrace_scan::explain::PinsOnPage;
    use pintrace_scan::kind::MemoryKind;
    use pintrace_scan::scan_result::Candidate;

    use super::*;

    fn found() -> RangeExplained {
        let holder = PinsOnPage {
            process: ProcessSeen {
                comm: "qemu\u{1b}".to_owned(),
                ..ProcessSeen::default()
            },
            evidence: Evidence::KernelTable,
            subsystem: "io_uring",
            openers: Vec::new(),
            pins: 1,
        };
        let row = |frames, order, holder, pins| PinnedFrames {
            frames,
            order,
            kind: MemoryKind::Anon,
            holder,
            pins,
        };
        RangeExplained {
            not_read: 0,
            pinned_frames: 7,
            rows: vec![row(20..26, 0, Some(holder), 1), row(512..1024, 9, None, 3)],
            candidates: vec![Candidate::default()],
        }
    }

    #[test]
    fn a_row_has_frames_folios_pins_and_holder() {
        let lines = text(&(16..513), &found());
        assert_eq!(lines[0], "frames 0x10-0x200: 497 frames, 7 of them pinned");
        assert_eq!(
            lines[1],
            "  0x14-0x19    6 x anon 4 KiB  1 pin each  pid 0 qemu\\u{1b}: io_uring (kernel table)"
        );
        assert_eq!(
            lines[2],
            "  0x200-0x3ff  1 x anon 2 MiB  3 pins      holder unknown"
        );
        assert!(lines[3].contains("possible holder"), "{lines:?}");
    }

    #[test]
    fn a_range_without_pins_says_what_to_do() {
        let hole = RangeExplained {
            not_read: 3,
            ..RangeExplained::default()
        };
        assert_eq!(
            text(&(16..20), &hole)[1],
            "  3 frames not read: no System RAM (/proc/iomem)"
        );
        let lines = text(&(16..17), &RangeExplained::default());
        assert_eq!(
            lines,
            [
                "frames 0x10: 1 frame, none of them pinned. `pintrace scan --pfn N` says what else refers to a frame"
            ]
        );
    }

    #[test]
    fn the_document_has_the_ends_of_the_range() {
        let mut out = Vec::new();
        write(&(16..513), &found(), true, &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (&document["range"]["first"], &document["range"]["last"]),
            (&16.into(), &512.into())
        );
        assert_eq!(document["range"]["folios"][1]["holder"], serde_json::Value::Null);
        assert_eq!(document["range"]["folios"][0]["holder"]["subsystem"], "io_uring");
    }
}
