//! The rows of one view, chosen by a query and printed for scripts: `top --batch` and `report --view`.

mod kind;
mod kinds;
mod options;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use pintrace_events::units::Pid;
use pintrace_export::rows::Rows;
use pintrace_model::field::{Field, Value};
use pintrace_model::snapshot::Snapshot;
use pintrace_model::text;
use pintrace_model::views::ViewName;
use pintrace_query::Query;
use pintrace_text::counted;

use self::kind::RowKind;
pub(crate) use self::options::Mistake;
pub(super) use self::options::check_query;
pub(crate) use self::options::view_name;

/// The format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A table of this width.
    Text(usize),
    Csv,
    JsonLines,
}

/// The choice of rows on the command line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice<'a> {
    pub(super) view: ViewName,
    /// The text of `--where`.
    pub(super) query: Option<&'a str>,
    /// The column of `--sort`.
    pub(super) sort: Option<&'a str>,
    /// The processes of `--pid`; empty for all.
    pub(super) pids: &'a [Pid],
    /// Show processes that have ended and hold nothing.
    pub(super) with_ended: bool,
}

/// Renders the chosen rows of snapshots.
pub(super) trait RowPrinter: Send {
    /// Returns the rows of a snapshot; with `is_first`, what stands once above all rows.
    fn render(&self, snapshot: &Snapshot, format: Format, is_first: bool) -> anyhow::Result<String>;
}

/// Returns the printer for a choice, or the mistake in the choice.
pub(super) fn printer(choice: Choice<'_>) -> Result<Box<dyn RowPrinter>, Mistake> {
    match choice.view {
        ViewName::Processes => Chosen::boxed(kinds::PROCESSES, choice),
        ViewName::Cgroups => Chosen::boxed(kinds::CGROUPS, choice),
        ViewName::Holders => Chosen::boxed(kinds::HOLDERS, choice),
        ViewName::Pins => Chosen::boxed(kinds::PINS, choice),
        ViewName::CallSites => Chosen::boxed(kinds::CALL_SITES, choice),
        ViewName::Findings => Chosen::boxed(kinds::FINDINGS, choice),
        ViewName::FlushWindows => Chosen::boxed(kinds::FLUSH_WINDOWS, choice),
        ViewName::PinCalls => Chosen::boxed(kinds::PIN_CALLS, choice),
        ViewName::System => Chosen::boxed(kinds::SYSTEM, choice),
    }
}

/// The choice of rows of one kind.
struct Chosen<T: Clone + 'static, Q: 'static> {
    kind: RowKind<T, Q>,
    fields: Vec<&'static Field<T>>,
    query: Option<Query<Q>>,
    /// The column that orders the rows; `None` keeps the order of the model.
    sort: Option<&'static Field<T>>,
    pids: Vec<Pid>,
    with_ended: bool,
}

impl<T: Clone, Q> Chosen<T, Q> {
    fn boxed(kind: RowKind<T, Q>, choice: Choice<'_>) -> Result<Box<dyn RowPrinter>, Mistake> {
        let parse = |text| Query::parse(text, &kind.asked).map_err(|error| Mistake::query(text, &error));
        let query = choice.query.map(parse).transpose()?;
        let fields = kind.fields();
        let by_default = || {
            let sort = kind.sort?;
            fields.iter().copied().find(|field| field.id == sort)
        };
        let sort = match choice.sort {
            Some(name) => Some(options::field(name, &fields)?),
            None => by_default(),
        };
        Ok(Box::new(Self {
            fields,
            query,
            sort,
            pids: choice.pids.to_vec(),
            with_ended: choice.with_ended,
            kind,
        }))
    }

    /// Returns the rows to show, in order, and the number of all rows.
    fn rows<'a>(&self, snapshot: &'a Snapshot) -> (Vec<Cow<'a, T>>, usize) {
        let mut rows = (self.kind.rows)(snapshot);
        rows.retain(|row| self.with_ended || !(self.kind.is_over)(row));
        let all = rows.len();
        rows.retain(|row| self.is_given(row) && self.matches(row, snapshot));
        if let Some(column) = self.sort {
            rows.sort_by(|one, two| (self.kind.rank)(column, one, two));
        }
        (rows, all)
    }

    fn is_given(&self, row: &T) -> bool {
        match (self.kind.pids)(row) {
            Some(pids) if !self.pids.is_empty() => pids.iter().any(|pid| self.pids.contains(pid)),
            _ => true,
        }
    }

    fn matches(&self, row: &T, snapshot: &Snapshot) -> bool {
        let matches = |query| (self.kind.matches)(query, row, snapshot);
        self.query.as_ref().is_none_or(matches)
    }

    /// Returns the line above a table: the time, the view and the number of rows.
    fn title(&self, snapshot: &Snapshot, shown: usize, all: usize) -> String {
        let since = snapshot.duration;
        let time = text::utc(snapshot.started.wall_ns.saturating_add(since.0));
        let since = Value::Span(since).text();
        let rows = counted(all as u64, "row");
        let rows = match &self.query {
            Some(query) if !query.is_empty() => {
                let query = text::printable(query.text());
                format!("{shown} of {rows} for “{query}”")
            }
            _ if shown < all => format!("{shown} of {rows}"),
            _ => rows,
        };
        format!("{time}  {since}  {}: {rows}\n", self.kind.view.as_str())
    }
}

impl<T: Clone, Q> RowPrinter for Chosen<T, Q> {
    fn render(&self, snapshot: &Snapshot, format: Format, is_first: bool) -> anyhow::Result<String> {
        let (chosen, all) = self.rows(snapshot);
        let chosen: Vec<&T> = chosen.iter().map(AsRef::as_ref).collect();
        let rows = Rows {
            view: self.kind.view,
            time: snapshot.time,
            table: self.kind.table,
            fields: &self.fields,
            rows: &chosen,
        };
        Ok(match format {
            Format::Csv => rows.csv(is_first)?,
            Format::JsonLines => rows.json()?,
            Format::Text(width) => {
                let mut text = if is_first { String::new() } else { "\n".to_owned() };
                text += &self.title(snapshot, chosen.len(), all);
                if !chosen.is_empty() {
                    text.extend(rows.text(width).iter().flat_map(|line| [line, "\n"]));
                }
                text
            }
        })
    }
}
