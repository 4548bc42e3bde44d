//! The values of `--view`, `--where` and `--sort`, and the mistakes in them.

use std::fmt::{self, Display, Formatter};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use pintrace_model::field::Field;
use pintrace_model::text::printable;
use pintrace_model::views::ViewName;
use pintrace_query::QueryError;

use super::{Choice, printer};

/// A wrong value of an option that depends on another option. Its text is that of clap for other wrong values.
#[derive(Debug)]
pub(crate) struct Mistake {
    option: &'static str,
    value: String,
    reason: String,
}

impl std::error::Error for Mistake {}

impl Display for Mistake {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let value = printable(&self.value);
        write!(
            out,
            "invalid value '{value}' for '{}': {}",
            self.option, self.reason
        )?;
        write!(out, "\n\nFor more information, try '--help'.")
    }
}

impl Mistake {
    /// Returns the mistake of `top --once` with a view: `--once` prints the processes.
    pub(in super::super) fn once_with_view(view: ViewName) -> Self {
        Self {
            option: "--view <VIEW>",
            value: view.as_str().to_owned(),
            reason: format!(
                "--once prints one table of processes; --batch -n 1 --view {} prints the rows of the view once",
                view.as_str()
            ),
        }
    }

    pub(in super::super) fn query(text: &str, error: &QueryError) -> Self {
        Self {
            option: "--where <QUERY>",
            value: text.to_owned(),
            reason: error.to_string(),
        }
    }
}

/// Returns the parser of `--view`.
pub(crate) fn view_name() -> impl TypedValueParser<Value = ViewName> {
    let names = PossibleValuesParser::new(ViewName::ALL.map(ViewName::as_str));
    // The parser has checked the name.
    names.map(|name| ViewName::named(&name).unwrap_or_default())
}

/// Checks a query over the rows of a view.
pub(in super::super) fn check_query(view: ViewName, query: Option<&str>) -> Result<(), Mistake> {
    let choice = Choice {
        view,
        query,
        ..Choice::default()
    };
    printer(choice).map(drop)
}

/// Returns the field that `--sort` names by id or title, in any case.
pub(super) fn field<T>(name: &str, fields: &[&'static Field<T>]) -> Result<&'static Field<T>, Mistake> {
    let is = |other: &str| other.eq_ignore_ascii_case(name);
    let by_id = fields.iter().find(|field| is(field.id));
    let found = by_id.or_else(|| fields.iter().find(|field| is(field.title)));
    found.copied().ok_or_else(|| {
        let ids: Vec<&str> = fields.iter().map(|field| field.id).collect();
        Mistake {
            option: "--sort <COLUMN>",
            value: name.to_owned(),
            reason: format!("the view has no such column\npossible: {}", ids.join(", ")),
        }
    })
}
