//! Looks up the fields of an expression and reads its values.

use pintrace_model::field::{Field, Unit};
use regex::RegexBuilder;

use super::distance::nearest;
use super::error::Fault;
use super::expression::{Expression, Located, Operator};
use super::literal;
use super::row_fields::RowFields;
use super::test::{Comparison, Test};

/// The largest memory of a compiled regular expression, in bytes.
const PATTERN_BYTES: usize = 1 << 20;

/// Returns the test of an expression. The depth of the expression bounds the recursion.
pub(crate) fn check<T>(expression: Expression, rows: &RowFields<T>) -> Result<Test<T>, Fault> {
    let all = |parts: Vec<Expression>| -> Result<Vec<Test<T>>, Fault> {
        parts.into_iter().map(|part| check(part, rows)).collect()
    };
    Ok(match expression {
        Expression::Word(word) => Test::Word(word.is.to_lowercase()),
        Expression::Comparison {
            field,
            operator,
            value,
            unit,
        } => {
            let field = named(&field, rows)?;
            let value = with_unit(field, &operator, value, unit)?;
            Test::Field(field, comparison(field.id, field.unit, &operator, &value)?)
        }
        Expression::Not(inner) => Test::Not(Box::new(check(*inner, rows)?)),
        Expression::And(parts) => Test::All(all(parts)?),
        Expression::Or(parts) => Test::Any(all(parts)?),
    })
}

fn named<T>(name: &Located<String>, rows: &RowFields<T>) -> Result<&'static Field<T>, Fault> {
    rows.named(&name.is).ok_or_else(|| {
        let wrong = format!("{} have no field `{}`", rows.noun.to_lowercase(), name.is);
        Fault {
            unknown_field: Some(name.is.clone()),
            ..Fault::new(name.at, wrong, nearest(&name.is, rows.spellings()))
        }
    })
}

/// Returns the value with the unit that follows it after a blank. A name has no unit, so the unit may be meant as a word.
fn with_unit<T>(
    field: &Field<T>,
    operator: &Located<Operator>,
    value: Located<String>,
    unit: Option<Located<String>>,
) -> Result<Located<String>, Fault> {
    let Some(unit) = unit else {
        return Ok(value);
    };
    if field.unit == Unit::Name || operator.is == Operator::Matches {
        let wrong = format!("`{}` after a number is a unit, and this value has none", unit.is);
        return Err(Fault::new(
            unit.at,
            wrong,
            ["and".to_owned(), format!("\"{}\"", unit.is)],
        ));
    }
    Ok(Located {
        is: format!("{} {}", value.is, unit.is),
        at: value.at,
    })
}

/// Returns the operators of the fields with a unit.
pub(crate) fn operators(unit: Unit) -> Vec<&'static str> {
    let all = Operator::ALL.into_iter();
    all.filter(|operator| unit != Unit::Name || !operator.compares_order())
        .map(Operator::as_str)
        .collect()
}

fn comparison(
    id: &str,
    unit: Unit,
    operator: &Located<Operator>,
    value: &Located<String>,
) -> Result<Comparison, Fault> {
    if operator.is == Operator::Matches {
        return pattern(value);
    }
    if unit != Unit::Name {
        let number = literal::number(&value.is, unit).ok_or_else(|| {
            let wrong = format!("`{}` is no value of `{id}`", value.is);
            Fault::new(value.at, wrong, literal::accepted(unit))
        })?;
        return Ok(Comparison::Number(operator.is, number));
    }
    if operator.is.compares_order() {
        let wrong = format!("`{}` needs a number, and `{id}` is a name", operator.is.as_str());
        return Err(Fault::new(operator.at, wrong, operators(unit)));
    }
    Ok(Comparison::Text(
        value.is.to_lowercase(),
        operator.is == Operator::Equal,
    ))
}

fn pattern(value: &Located<String>) -> Result<Comparison, Fault> {
    let built = RegexBuilder::new(&value.is)
        .case_insensitive(true)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .build();
    built.map(Comparison::Pattern).map_err(|error| {
        let reason = match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            error => reason(&error.to_string()),
        };
        Fault::new(
            value.at,
            format!("this is no regular expression: {reason}"),
            ["text, with . * [ ( as in other tools", "\\. for a dot"],
        )
    })
}

/// Returns the last line of a message, which gives the reason; the lines before repeat the expression.
fn reason(message: &str) -> String {
    let last = message.lines().last().unwrap_or(message);
    last.trim_start_matches("error: ").to_owned()
}
