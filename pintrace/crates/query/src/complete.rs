//! Completion: what can stand at the cursor.

use std::collections::BTreeSet;
use std::ops::Range;

use pintrace_events::units::Nanos;
use pintrace_model::field::{Field, Unit};

use super::check::operators;
use super::expression::{Operator, keyword};
use super::print::quoted;
use super::row_fields::RowFields;
use super::test::text_of;
use super::token::{Placed, Token, tokens};
use super::unit::suffixes;

/// What can stand at the cursor of a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completions {
    /// The bytes of the text that a candidate replaces.
    pub replaces: Range<usize>,
    /// The candidates, likely ones first.
    pub candidates: Vec<String>,
}

/// The most values of one field.
const MOST_VALUES: usize = 100;

/// What the text before the cursor asks for.
enum Wanted<T: 'static> {
    /// A field, a word or `not`.
    Term,
    /// An operator of a field, or a keyword, since the name of a field is a bare word too.
    OperatorOf(&'static Field<T>),
    /// A keyword or another term.
    Next,
    /// A value of a field; `true` if it is a regular expression.
    ValueOf(&'static Field<T>, bool),
    /// Nothing that is known, such as a value of an unknown field.
    Nothing,
}

/// Returns what can stand at `cursor`, a byte of the text. `values` gives the known values of a field.
pub fn complete<T>(
    text: &str,
    cursor: usize,
    rows: &RowFields<T>,
    values: &dyn Fn(&'static Field<T>) -> Vec<String>,
) -> Completions {
    let cursor = text.floor_char_boundary(cursor);
    let before = tokens(&text[..cursor]);
    let (part, start, before) = split(&before, cursor);
    let candidates = match wanted(before, rows) {
        Wanted::Term => terms(part, rows, &["not"]),
        Wanted::OperatorOf(field) if part.is_empty() => {
            let operators = operators(field.unit).into_iter();
            operators.chain(["and", "or"]).map(str::to_owned).collect()
        }
        Wanted::OperatorOf(_) | Wanted::Next => terms(part, rows, &["and", "or", "not"]),
        Wanted::ValueOf(field, _) if field.unit != Unit::Name => figures(part, field.unit),
        Wanted::ValueOf(field, is_pattern) => {
            let fixed = (rows.values)(field.id).into_iter().map(str::to_owned);
            let present = if is_pattern { Vec::new() } else { values(field) };
            names(part, present.into_iter().chain(fixed))
        }
        Wanted::Nothing => Vec::new(),
    };
    Completions {
        replaces: start..cursor,
        candidates,
    }
}

/// Returns the distinct values of a field with names, by alphabet, for [`complete`].
pub fn values_of<'a, T: 'a>(
    field: &Field<T>,
    rows: impl IntoIterator<Item = &'a T>,
    now: Nanos,
) -> Vec<String> {
    if field.unit != Unit::Name {
        return Vec::new();
    }
    let texts = rows
        .into_iter()
        .filter_map(|row| text_of(&(field.value)(row).at(now), field.unit));
    let distinct: BTreeSet<String> = texts.collect();
    distinct.into_iter().take(MOST_VALUES).collect()
}

/// Splits the token that touches the cursor off: its text, its first byte, and the tokens before it.
fn split(all: &[Placed], cursor: usize) -> (&str, usize, &[Placed]) {
    match all.split_last() {
        Some((last, before)) if last.span.end == cursor => match &last.token {
            Token::Word(text) | Token::Quoted { text, closed: false } => (text, last.span.start, before),
            _ => ("", cursor, all),
        },
        Some((last, before)) => match &last.token {
            // Spaces at the end belong to the quote.
            Token::Quoted { text, closed: false } => (text, last.span.start, before),
            _ => ("", cursor, all),
        },
        None => ("", cursor, all),
    }
}

fn wanted<T>(before: &[Placed], rows: &RowFields<T>) -> Wanted<T> {
    let tokens: Vec<&Token> = before.iter().map(|placed| &placed.token).collect();
    match tokens[..] {
        [.., Token::Word(field), Token::Operator(operator)] => {
            let is_pattern = Operator::named(operator) == Some(Operator::Matches);
            let field = rows.named(field);
            field.map_or(Wanted::Nothing, |field| Wanted::ValueOf(field, is_pattern))
        }
        [.., Token::Operator(_)] => Wanted::Nothing,
        [.., Token::Operator(_), Token::Word(_)] | [.., Token::Quoted { .. } | Token::Close] => Wanted::Next,
        [.., Token::Word(word)] if keyword(word).is_some() => Wanted::Term,
        [.., Token::Word(word)] => rows.named(word).map_or(Wanted::Next, Wanted::OperatorOf),
        [] | [.., Token::Open] => Wanted::Term,
    }
}

/// Returns fields and keywords that begin with a part, then the fields that contain it.
fn terms<T>(part: &str, rows: &RowFields<T>, keywords: &[&str]) -> Vec<String> {
    let part = part.to_lowercase();
    let keywords = keywords.iter().filter(|keyword| keyword.starts_with(&part));
    let mut ids: Vec<&str> = rows.all().into_iter().map(|field| field.id).collect();
    ids.retain(|id| id.contains(&part));
    ids.sort_by_key(|id| !id.starts_with(&part));
    let all = ids.into_iter().chain(keywords.copied());
    all.map(str::to_owned).collect()
}

/// Returns digits with each unit.
fn figures(part: &str, unit: Unit) -> Vec<String> {
    if !part.ends_with(|last: char| last.is_ascii_digit()) {
        return Vec::new();
    }
    let units = suffixes(unit).iter();
    units.map(|suffix| format!("{part}{suffix}")).collect()
}

/// Returns values that begin with a part, then those that contain it, in quotes where they need them.
fn names(part: &str, values: impl Iterator<Item = String>) -> Vec<String> {
    let part = part.to_lowercase();
    let mut kept: Vec<String> = Vec::new();
    for value in values {
        if value.to_lowercase().contains(&part) && !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept.sort_by_key(|value| !value.to_lowercase().starts_with(&part));
    kept.iter().map(|value| quoted(value)).collect()
}
