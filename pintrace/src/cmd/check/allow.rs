//! The allow file: findings that are known, each with the reason why they do not fail.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use pintrace_model::finding::{Finding, FindingKind};
use pintrace_model::subsystem::Subsystem;
use pintrace_model::text::printable;

/// What is allowed.
#[derive(Clone, Debug, Default)]
pub(super) struct AllowFile {
    /// In the order of the file.
    pub(super) entries: Vec<AllowEntry>,
}

/// One `[[allow]]`: everything that it names has to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AllowEntry {
    /// Why.
    pub(super) reason: String,
    /// Where it stands, as `FILE:LINE`.
    pub(super) location: String,
    only: Only,
}

/// What an entry is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Only {
    kind: Option<FindingKind>,
    subsystem: Option<Subsystem>,
    comm: Option<String>,
    symbol: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    allow: Vec<Spanned<WrittenEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEntry {
    kind: Option<Spanned<String>>,
    subsystem: Option<Spanned<String>>,
    comm: Option<String>,
    symbol: Option<String>,
    reason: String,
}

/// The names of all kinds.
pub(super) fn kinds() -> String {
    let names: Vec<_> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
    names.join(", ")
}

fn subsystems() -> String {
    let names: Vec<_> = Subsystem::ALL.iter().map(|one| one.as_str()).collect();
    names.join(", ")
}

impl AllowFile {
    /// Reads the file, or says what is wrong with it, and where.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let name = printable(&path.display().to_string());
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(&text, &name)
    }

    /// The same of a file of that name and text.
    pub(super) fn parse(text: &str, name: &str) -> Result<Self, String> {
        let location = |offset: usize| format!("{name}:{}", line(text, offset));
        let written: Written = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            format!("{}: {}", location(start), printable(&message))
        })?;
        let entries = written.allow.into_iter().map(|entry| {
            let location_of_entry = location(entry.span().start);
            let entry = entry.into_inner();
            let wrong = |what: &str| format!("{location_of_entry}: {what}");
            let only = Only {
                kind: named(entry.kind, FindingKind::parse)
                    .map_err(|at| format!("{}: no such kind; there are {}", location(at), kinds()))?,
                subsystem: named(entry.subsystem, Subsystem::parse).map_err(|at| {
                    format!("{}: no such subsystem; there are {}", location(at), subsystems())
                })?,
                comm: entry.comm,
                symbol: entry.symbol,
            };
            if only == Only::EVERYTHING {
                return Err(wrong(
                    "an entry that names none of kind, subsystem, comm and symbol would allow everything",
                ));
            }
            if entry.reason.trim().is_empty() {
                return Err(wrong("the reason is empty"));
            }
            Ok(AllowEntry {
                reason: entry.reason,
                location: location_of_entry,
                only,
            })
        });
        entries.collect::<Result<_, _>>().map(|entries| Self { entries })
    }
}

/// The thing of that name, or where a name stands that nothing has.
fn named<T>(name: Option<Spanned<String>>, parse: fn(&str) -> Option<T>) -> Result<Option<T>, usize> {
    name.map(|name| parse(name.get_ref()).ok_or(name.span().start))
        .transpose()
}

fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

impl Only {
    const EVERYTHING: Self = Self {
        kind: None,
        subsystem: None,
        comm: None,
        symbol: None,
    };
}

impl AllowEntry {
    /// Whether it is about this finding.
    pub(super) fn matches(&self, finding: &Finding) -> bool {
        let Only {
            kind,
            subsystem,
            comm,
            symbol,
        } = &self.only;
        let pin = finding.pin.as_ref();
        kind.is_none_or(|kind| kind == finding.kind)
            && subsystem.is_none_or(|subsystem| pin.is_some_and(|pin| pin.subsystem == subsystem))
            && comm.as_ref().is_none_or(|comm| *comm == finding.comm)
            && symbol.as_ref().is_none_or(|symbol| has(finding, symbol))
    }
}

/// Whether a function occurs in either stack. What a compiler appends (`.isra.0`) may be left out.
fn has(finding: &Finding, symbol: &str) -> bool {
    let stacks: [Option<&Arc<[String]>>; 2] = [
        finding.pin.as_ref().map(|pin| &pin.stack),
        finding.trigger.as_ref().map(|trigger| &trigger.stack),
    ];
    stacks
        .into_iter()
        .flatten()
        .flat_map(|stack| stack.iter())
        .any(|frame| {
            let end = frame.find(['+', ' ']).unwrap_or(frame.len());
            let name = &frame[..end];
            name == symbol || name.split('.').next() == Some(symbol)
        })
}
