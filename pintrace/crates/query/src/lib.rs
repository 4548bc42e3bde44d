//! Queries over the fields of the catalogue: one language for `--where` and for the filter of the live view.
//!
//! A query is text: comparisons `field op value` and bare words, combined by `and`, `or`, `not` and parentheses
//! (docs/queries.md). [`Query::parse`] checks the text against the fields of one kind of row, [`Query::matches`] tests a
//! row, and [`complete()`] lists what can stand at the cursor. A query holds no row and does no I/O.

mod check;
mod complete;
mod distance;
mod error;
mod expression;
mod foreign;
mod literal;
mod number;
mod parse;
mod print;
mod query;
mod row_fields;
pub mod rows;
mod test;
mod token;
mod unit;

#[cfg(test)]
mod documents;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use complete::{Completions, complete, values_of};
pub use error::QueryError;
pub use expression::{Operator, begins_keyword};
pub use literal::duration;
pub use query::Query;
pub use row_fields::{RowFields, WordsOf};

/// The longest query in bytes. Queries come from files and from the command line.
pub const MAX_BYTES: usize = 4096;
/// The deepest nesting of parentheses and `not`.
pub const MAX_DEPTH: usize = 64;
