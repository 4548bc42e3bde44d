//! Values of TOML of an expected type, and the mistake of another type.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::DeValue;

use super::mistake::Mistake;
use super::nearest::Unknown;

/// A key, with its place.
pub(super) type Name<'a, 'i> = &'a Spanned<Cow<'i, str>>;
/// A value, with its place.
pub(super) type Value<'a, 'i> = &'a Spanned<DeValue<'i>>;

/// Returns what a name names, with the place of the name if it names nothing.
pub(super) fn named<T>(value: Value<'_, '_>, found: Result<T, Unknown>) -> Result<T, Mistake> {
    found.map_err(|unknown| Mistake::new(value.span().start, unknown))
}

/// Returns a text.
pub(super) fn string<'a>(name: &str, value: Value<'a, '_>) -> Result<&'a str, Mistake> {
    let text = value.get_ref().as_str();
    text.ok_or_else(|| wrong_type(name, value, "a text in quotes"))
}

/// Returns a text, or a decimal number as text.
pub(super) fn scalar(name: &str, value: Value<'_, '_>) -> Result<String, Mistake> {
    match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        _ => string(name, value).map(ToOwned::to_owned),
    }
}

/// Returns true or false.
pub(super) fn flag(name: &str, value: Value<'_, '_>) -> Result<bool, Mistake> {
    let flag = value.get_ref().as_bool();
    flag.ok_or_else(|| wrong_type(name, value, "true or false"))
}

/// Returns the mistake of a value of another type.
pub(super) fn wrong_type(name: &str, value: Value<'_, '_>, expected: &str) -> Mistake {
    let kind = match value.get_ref() {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Mistake::new(
        value.span().start,
        format!("`{name}` takes {expected}, and not {kind}"),
    )
}
