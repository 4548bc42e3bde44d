//! Reads the allow file: the known findings that do not fail a check, each with a reason.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use pintrace_events::units::Nanos;
use pintrace_model::finding::{Finding, FindingKind};
use pintrace_model::subsystem::Subsystem;
use pintrace_model::text::printable;
use pintrace_query::rows::FINDINGS;
use pintrace_query::{Query, QueryError};

/// The content of an allow file.
#[derive(Clone, Debug, Default)]
pub(super) struct AllowFile {
    /// The entries in the order of the file.
    pub(super) entries: Vec<AllowEntry>,
}

/// One `[[allow]]`. A finding has to match all criteria that the entry names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AllowEntry {
    /// Why the finding is allowed.
    pub(super) reason: String,
    /// The location of the entry as `FILE:LINE`.
    pub(super) location: String,
    criteria: Criteria,
}

/// The criteria that a finding has to match. `None` matches each finding.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Criteria {
    kind: Option<FindingKind>,
    subsystem: Option<Subsystem>,
    comm: Option<String>,
    symbol: Option<String>,
    query: Option<Query<Finding>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileToml {
    #[serde(default)]
    allow: Vec<Spanned<EntryToml>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryToml {
    kind: Option<Spanned<String>>,
    subsystem: Option<Spanned<String>>,
    comm: Option<String>,
    symbol: Option<String>,
    #[serde(rename = "where")]
    query: Option<Spanned<String>>,
    reason: String,
}

/// Returns the names of all kinds of findings.
pub(super) fn kinds() -> String {
    let names: Vec<_> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
    names.join(", ")
}

fn subsystems() -> String {
    let names: Vec<_> = Subsystem::ALL.iter().map(|one| one.as_str()).collect();
    names.join(", ")
}

impl AllowFile {
    /// Reads a file. The error names the mistake and the line.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let name = printable(&path.display().to_string());
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(&text, &name)
    }

    /// Returns the location of an entry that matches by the name of kernel code: by subsystem or symbol, also in a query. Such an
    /// entry matches nothing if kernel addresses are hidden.
    pub(super) fn names_code(&self) -> Option<&str> {
        let by_query = |query: &Query<Finding>| query.uses("subsystem");
        let names = |entry: &&AllowEntry| {
            let criteria = &entry.criteria;
            criteria.subsystem.is_some()
                || criteria.symbol.is_some()
                || criteria.query.as_ref().is_some_and(by_query)
        };
        self.entries
            .iter()
            .find(names)
            .map(|entry| entry.location.as_str())
    }

    /// Parses the text of the file `name`.
    pub(super) fn parse(text: &str, name: &str) -> Result<Self, String> {
        let location = |offset: usize| format!("{name}:{}", line(text, offset));
        let file: FileToml = toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            format!("{}: {}", location(start), printable(&message))
        })?;
        let entries = file.allow.into_iter().map(|entry| {
            let location_of_entry = location(entry.span().start);
            let entry = entry.into_inner();
            let wrong = |what: &str| format!("{location_of_entry}: {what}");
            let criteria = Criteria {
                kind: named(entry.kind, FindingKind::parse)
                    .map_err(|at| format!("{}: no such kind: the kinds are {}", location(at), kinds()))?,
                subsystem: named(entry.subsystem, Subsystem::parse).map_err(|at| {
                    format!(
                        "{}: no such subsystem: the subsystems are {}",
                        location(at),
                        subsystems()
                    )
                })?,
                comm: entry.comm,
                symbol: entry.symbol,
                query: query(entry.query)
                    .map_err(|(at, error)| format!("{}: {}", location(at), error.one_line()))?,
            };
            if criteria == Criteria::NONE {
                return Err(wrong(
                    "the entry would allow everything: give a kind, subsystem, comm, symbol or where",
                ));
            }
            if entry.reason.trim().is_empty() {
                return Err(wrong("the reason is empty: say why the finding is allowed"));
            }
            Ok(AllowEntry {
                reason: entry.reason,
                location: location_of_entry,
                criteria,
            })
        });
        entries.collect::<Result<_, _>>().map(|entries| Self { entries })
    }
}

/// Parses a name. The error is the offset of an unknown name.
fn named<T>(name: Option<Spanned<String>>, parse: fn(&str) -> Option<T>) -> Result<Option<T>, usize> {
    name.map(|name| parse(name.get_ref()).ok_or(name.span().start))
        .transpose()
}

/// Parses a query. The error has its offset. A query without a condition is none.
fn query(text: Option<Spanned<String>>) -> Result<Option<Query<Finding>>, (usize, QueryError)> {
    let Some(text) = text else {
        return Ok(None);
    };
    let start = text.span().start;
    let query = Query::parse(text.get_ref(), &FINDINGS).map_err(|error| (start, error))?;
    Ok((!query.is_empty()).then_some(query))
}

fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

impl Criteria {
    const NONE: Self = Self {
        kind: None,
        subsystem: None,
        comm: None,
        symbol: None,
        query: None,
    };
}

impl AllowEntry {
    /// Returns true if a finding matches at `now`, the time of the snapshot.
    pub(super) fn matches(&self, finding: &Finding, now: Nanos) -> bool {
        let Criteria {
            kind,
            subsystem,
            comm,
            symbol,
            query,
        } = &self.criteria;
        let pin = finding.pin.as_ref();
        kind.is_none_or(|kind| kind == finding.kind)
            && subsystem.is_none_or(|subsystem| pin.is_some_and(|pin| pin.subsystem == subsystem))
            && comm.as_ref().is_none_or(|comm| *comm == finding.comm)
            && symbol.as_ref().is_none_or(|symbol| has(finding, symbol))
            && query.as_ref().is_none_or(|query| query.matches(finding, now))
    }
}

/// Returns true if a function is in the stack of the pin or of the trigger. `symbol` may lack a suffix of the compiler
/// such as `.isra.0`.
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
