//! Prints an expression as a query that means the same.

use std::fmt::{self, Display, Formatter};

use super::expression::{Expression, keyword};
use super::foreign::foreign_bare_word;
use super::token::is_word;

impl Display for Expression {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => out.write_str(&quoted(&word.is)),
            Self::Comparison {
                field,
                operator,
                value,
                unit,
            } => {
                write!(out, "{} {} {}", field.is, operator.is.as_str(), quoted(&value.is))?;
                unit.iter().try_for_each(|unit| write!(out, " {}", unit.is))
            }
            Self::Not(inner) => {
                out.write_str("not ")?;
                part(inner, matches!(**inner, Self::And(_) | Self::Or(_)), out)
            }
            Self::And(parts) => joined(
                parts,
                " and ",
                |part| matches!(part, Self::And(_) | Self::Or(_)),
                out,
            ),
            Self::Or(parts) => joined(parts, " or ", |part| matches!(part, Self::Or(_)), out),
        }
    }
}

/// Prints parts, in parentheses where `needs` says so.
fn joined(
    parts: &[Expression],
    between: &str,
    needs: impl Fn(&Expression) -> bool,
    out: &mut Formatter<'_>,
) -> fmt::Result {
    for (index, one) in parts.iter().enumerate() {
        if index > 0 {
            out.write_str(between)?;
        }
        part(one, needs(one), out)?;
    }
    Ok(())
}

fn part(one: &Expression, parentheses: bool, out: &mut Formatter<'_>) -> fmt::Result {
    if parentheses {
        write!(out, "({one})")
    } else {
        write!(out, "{one}")
    }
}

/// Returns a value as a query contains it: in quotes if it is not one word, or a word that
/// queries refuse.
pub(crate) fn quoted(text: &str) -> String {
    if is_word(text) && keyword(text).is_none() && foreign_bare_word(text).is_none() {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
