//! Compares the kernel's tables of pinned pages with the pins on the struct pages.
//!
//! The scan reads the struct pages and then the tables, without locks. So a claim of a table counts only where the scan
//! found the claimed pins, and where all tables together claim no more pins than the folio has.

use std::collections::BTreeMap;

use super::pinned_folios::{FolioRun, Folios};
use super::tables::{Frames, PinTable};

#[cfg(test)]
mod tests;

/// The tables of one open file.
pub struct FileTables {
    /// Index of the file in the list of open files.
    pub file: usize,
    /// The tables.
    pub tables: Vec<PinTable>,
}

/// The pins of one holder: of the files that share the same tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableHolder {
    /// Indexes of the files in the list of open files.
    pub files: Vec<usize>,
    /// Folios with the pins of the holder, by frame; `pins` of each run counts the pins of the holder only. No two runs
    /// have a folio in common, so the bytes of a folio with many buffers count once.
    pub runs: Vec<FolioRun>,
    /// User addresses that were pinned, each with the first frame.
    pub addresses: Vec<(std::ops::Range<u64>, u64)>,
}

/// The pins of a scan, divided by holder.
#[derive(Clone, Debug, Default)]
pub struct Divided {
    /// The holders of pins that tables explain.
    pub holders: Vec<TableHolder>,
    /// Folios with the pins that no table explains.
    pub rest: Folios,
    /// Number of pins on folios for which the tables claim more pins than the folios have.
    pub contradicted: u64,
}

/// Consecutive folios of one run with the same number of claimed pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    /// Index of the run in `Folios::runs`.
    run: usize,
    /// Number of the first folio.
    first: u64,
    folios: u64,
    pins: u32,
}

/// Divides the pins of `folios` by the tables.
pub fn divide(folios: &Folios, files: Vec<FileTables>) -> Divided {
    let mut objects: BTreeMap<u64, (Vec<usize>, PinTable)> = BTreeMap::new();
    for FileTables { file, tables } in files {
        for table in tables {
            let (files, _) = objects.entry(table.object).or_insert_with(|| (Vec::new(), table));
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    let mut claimed = vec![0u32; usize::try_from(folios.len()).unwrap_or(0)];
    let mut holders: BTreeMap<Vec<usize>, Vec<(PinTable, Vec<Claim>)>> = BTreeMap::new();
    for (files, table) in objects.into_values() {
        let claims = claims(&table.frames, folios);
        for claim in &claims {
            for pins in &mut claimed[range(claim)] {
                *pins = pins.saturating_add(claim.pins);
            }
        }
        holders.entry(files).or_default().push((table, claims));
    }
    let believed = |run: &FolioRun, folio: u64| {
        claimed
            .get(usize::try_from(folio).unwrap_or(usize::MAX))
            .is_some_and(|claimed| *claimed <= run.pins)
    };
    let runs_of = |claim: &Claim| {
        let (run, pins) = (&folios.runs()[claim.run], claim.pins);
        parts(run, claim.first, claim.folios, move |folio| believed(run, folio))
            .filter(|(believed, _)| *believed)
            .map(move |(_, part)| FolioRun { pins, ..part })
    };
    let holders = holders.into_iter().map(|(files, tables)| {
        let addresses = tables.iter().filter_map(|(table, claims)| {
            let (addresses, first) = (table.addresses.clone()?, table.frames.runs().first()?);
            let is_believed = claims.iter().any(|claim| runs_of(claim).next().is_some());
            is_believed.then_some((addresses, first.pfn))
        });
        let addresses = addresses.collect();
        let claims = merged(tables.into_iter().flat_map(|(_, claims)| claims));
        TableHolder {
            files,
            runs: claims.iter().flat_map(runs_of).collect(),
            addresses,
        }
    });
    let holders = holders.filter(|holder| !holder.runs.is_empty()).collect();
    let (rest, contradicted) = rest(folios, &claimed);
    Divided {
        holders,
        rest,
        contradicted,
    }
}

fn range(claim: &Claim) -> std::ops::Range<usize> {
    let first = usize::try_from(claim.first).unwrap_or(usize::MAX);
    first..first.saturating_add(usize::try_from(claim.folios).unwrap_or(usize::MAX))
}

/// Returns the pinned folios to which the frames belong, with a pin for each frame.
fn claims(frames: &Frames, folios: &Folios) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    let mut hint = 0;
    for frame_run in frames.runs() {
        let (mut pfn, end) = (frame_run.pfn, frame_run.pfn.saturating_add(frame_run.frames));
        while pfn < end {
            let Some(index) = folios.find(pfn, hint) else {
                // The frame has no pin; the next run of pinned folios may begin further on.
                match folios.next_pinned(pfn).filter(|next| *next < end) {
                    Some(next) => pfn = next,
                    None => break,
                }
                continue;
            };
            hint = index;
            let run = &folios.runs()[index];
            let folio = (pfn - run.pfn) >> run.order;
            let folio_end = run.pfn + ((folio + 1) << run.order);
            let (folios, pins, next) = if run.order == 0 {
                let next = end.min(run.end());
                (next - pfn, 1, next)
            } else {
                let next = end.min(folio_end);
                (1, u32::try_from(next - pfn).unwrap_or(u32::MAX), next)
            };
            let claim = Claim {
                run: index,
                first: run.index + folio,
                folios,
                pins,
            };
            match claims.last_mut() {
                // Several buffers' frames in one folio, one after the other.
                Some(last) if run.order > 0 && last.first == claim.first && last.folios == 1 => {
                    last.pins += pins;
                }
                Some(last)
                    if last.run == index && last.first + last.folios == claim.first && last.pins == pins =>
                {
                    last.folios += folios;
                }
                _ => claims.push(claim),
            }
            pfn = next;
        }
    }
    claims
}

/// Returns the claims of one holder by folio, without overlap. The pins of several claims on a folio are added up.
fn merged(claims: impl IntoIterator<Item = Claim>) -> Vec<Claim> {
    // The folio numbers at which claims begin and end, each with the change in pins. An end has no run.
    let mut edges: Vec<(u64, i64, Option<usize>)> = Vec::new();
    for claim in claims {
        let pins = i64::from(claim.pins);
        edges.push((claim.first, pins, Some(claim.run)));
        edges.push((claim.first + claim.folios, -pins, None));
    }
    edges.sort_unstable_by_key(|(folio, ..)| *folio);
    let mut merged: Vec<Claim> = Vec::new();
    let (mut first, mut pins, mut run) = (0, 0, 0);
    for (folio, change, begins) in edges {
        if folio > first && pins > 0 {
            let claim = Claim {
                run,
                first,
                folios: folio - first,
                pins: u32::try_from(pins).unwrap_or(u32::MAX),
            };
            match merged.last_mut() {
                Some(last)
                    if last.run == run && last.first + last.folios == first && last.pins == claim.pins =>
                {
                    last.folios += claim.folios;
                }
                _ => merged.push(claim),
            }
        }
        (first, pins) = (folio, pins + change);
        // No claim reaches into another run, so all claims on a folio have the run of the claim that began last.
        run = begins.unwrap_or(run);
    }
    merged
}

/// Divides `folios` folios of a run into parts for which `key` returns the same value.
fn parts<K: PartialEq>(
    run: &FolioRun,
    first: u64,
    folios: u64,
    key: impl Fn(u64) -> K,
) -> impl Iterator<Item = (K, FolioRun)> {
    let (mut next, end) = (first, first + folios);
    std::iter::from_fn(move || {
        if next >= end {
            return None;
        }
        let begin = next;
        let value = key(begin);
        next += 1;
        while next < end && key(next) == value {
            next += 1;
        }
        let part = FolioRun {
            pfn: run.pfn + ((begin - run.index) << run.order),
            folios: next - begin,
            index: begin,
            ..*run
        };
        Some((value, part))
    })
}

/// Returns the folios with the pins that no table explains, and the number of contradicted pins.
fn rest(folios: &Folios, claimed: &[u32]) -> (Folios, u64) {
    let (mut rest, mut contradicted) = (Folios::default(), 0);
    for run in folios.runs() {
        let claimed = |folio: u64| claimed[usize::try_from(folio).unwrap_or(0)];
        for (claimed, part) in parts(run, run.index, run.folios, claimed) {
            if claimed > run.pins {
                contradicted += u64::from(run.pins) * part.folios;
            }
            let pins = run.pins.checked_sub(claimed).unwrap_or(run.pins);
            rest.add_run(FolioRun { pins, ..part });
        }
    }
    (rest, contradicted)
}
