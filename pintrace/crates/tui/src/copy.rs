//! The values of a row as text for the clipboard.

use pintrace_model::field::Value;

/// Returns a line for each value.
pub(super) fn text(values: &[(&'static str, Value<'_>)]) -> String {
    let mut text = String::new();
    for (id, value) in values {
        text.extend([id, " ", &value.exact(), "\n"]);
    }
    text
}

/// Returns one JSON object: times in nanoseconds, shares as ratios, unknown values as null.
pub(super) fn json(values: &[(&'static str, Value<'_>)]) -> String {
    let value = |value: &Value<'_>| match value {
        Value::Count(number) | Value::Id(number) | Value::Bytes(number) => (*number).into(),
        Value::Signed(number) => (*number).into(),
        Value::Span(span) | Value::Since(span) => span.0.into(),
        Value::Text(text) => text.as_ref().into(),
        Value::Rate(_) | Value::Share(..) => value.number().map_or(serde_json::Value::Null, Into::into),
        Value::Before(_) | Value::MoreThan(_) | Value::Absent => serde_json::Value::Null,
    };
    let object: serde_json::Map<String, serde_json::Value> = values
        .iter()
        .map(|(id, one)| ((*id).to_owned(), value(one)))
        .collect();
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use pintrace_events::units::Nanos;

    use super::*;

    #[test]
    fn unknown_values_are_null() {
        let values = [
            ("pid", Value::Id(7)),
            ("oldest", Value::Span(Nanos(5))),
            ("comm", Value::Text("a\"b".into())),
            ("uid", Value::Absent),
        ];
        assert_eq!(json(&values), r#"{"comm":"a\"b","oldest":5,"pid":7,"uid":null}"#);
        assert_eq!(text(&values[..1]), "pid 7\n");
    }
}
