//! Claims about exact values, and about names that processes choose.

use proptest::prelude::*;

use pintrace_events::units::Nanos;
use pintrace_model::field::{Align, Field, Unit, Value};
use pintrace_model::text::printable;
use pintrace_model::views::ViewName;

use super::Rows;

/// A row with a name and a value.
type Named = (String, Value<'static>);

const FIELDS: &[Field<Named>] = &[
    field("name", Unit::Name, |row| Value::Text((&*row.0).into())),
    VALUE,
];
const VALUE: Field<Named> = field("value", Unit::Name, |row| row.1.clone());
const ADDRESS: Field<Named> = field("address", Unit::Address, |row| row.1.clone());

const fn field(id: &'static str, unit: Unit, value: for<'a> fn(&'a Named) -> Value<'a>) -> Field<Named> {
    Field {
        id,
        title: "TITLE",
        unit,
        help: "",
        metric: None,
        align: Align::Left,
        drop_rank: 0,
        value,
    }
}

fn with_rows<R>(named: &[Named], take: impl FnOnce(Rows<'_, Named>) -> R) -> R {
    let rows: Vec<&Named> = named.iter().collect();
    let fields: Vec<&'static Field<Named>> = FIELDS.iter().collect();
    take(Rows {
        view: ViewName::Processes,
        time: Nanos(3_000_000_007),
        table: FIELDS,
        fields: &fields,
        rows: &rows,
    })
}

/// Returns the value as CSV and as JSON have it.
fn both(value: Value<'static>) -> (String, String) {
    let named = [("x".to_owned(), value)];
    let csv = with_rows(&named, |rows| rows.csv(false)).unwrap();
    let json = with_rows(&named, |rows| rows.json()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let cell = csv.trim_end().rsplit_once(',').unwrap().1.to_owned();
    (cell, json["rows"][0]["value"].to_string())
}

#[test]
fn values_are_exact() {
    let wanted = [
        (
            Value::Count(u64::MAX),
            "18446744073709551615",
            "18446744073709551615",
        ),
        (Value::Bytes(1 << 40), "1099511627776", "1099511627776"),
        (Value::Id(7), "7", "7"),
        (Value::Signed(-3), "-3", "-3"),
        (Value::Rate(0.25), "0.25", "0.25"),
        (Value::Rate(f64::NAN), "", "null"),
        (Value::Span(Nanos(1_000_000_001)), "1.000000001", "1000000001"),
        (Value::Since(Nanos(2_000_000_007)), "1.000000000", "1000000000"),
        (Value::Share(1, 4), "0.25", "0.25"),
        (Value::Share(0, 0), "", "null"),
        (Value::Absent, "", "null"),
    ];
    for (value, csv, json) in wanted {
        let text = format!("{value:?}");
        assert_eq!(both(value), (csv.to_owned(), json.to_owned()), "{text}");
    }
}

#[test]
fn an_address_is_text_in_both_formats() {
    let named = ("x".to_owned(), Value::Id(u64::MAX));
    let rows = Rows {
        view: ViewName::Pins,
        time: Nanos(0),
        table: &[],
        fields: &[&ADDRESS],
        rows: &[&named],
    };
    assert_eq!(
        rows.csv(true).unwrap(),
        "time,address\n0.000000000,0xffffffffffffffff\n"
    );
    assert!(rows.json().unwrap().contains(r#""address":"0xffffffffffffffff""#));
}

#[test]
fn control_characters_of_a_name_are_escaped_in_csv_and_exact_in_json() {
    let name = "=a\r\n\x1b[2J,\"b\"\u{202e}";
    let named = [(name.to_owned(), Value::Absent)];
    let csv = with_rows(&named, |rows| rows.csv(false)).unwrap();
    assert_eq!(csv, "3.000000007,\"=a\\r\\n\\u{1b}[2J,\"\"b\"\"\\u{202e}\",\n");
    let json = with_rows(&named, |rows| rows.json()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["rows"][0]["name"], name);
}

/// Names with many characters that CSV, shells and terminals treat specially.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[=+@,\"'\r\n\t;\\\\ $`a-]{0,12}",
        any::<String>(),
        Just("=HYPERLINK(\"http://x\")".to_owned()),
    ]
}

proptest! {
    #[test]
    fn csv_read_back_has_the_same_cells(names in prop::collection::vec((hostile(), any::<u64>()), 0..8)) {
        let named: Vec<Named> = names.iter().map(|(name, value)| (name.clone(), Value::Count(*value))).collect();
        let text = with_rows(&named, |rows| rows.csv(true)).unwrap();
        prop_assert_eq!(text.lines().count(), named.len() + 1, "one line for each row");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        prop_assert_eq!(reader.headers().unwrap(), vec!["time", "name", "value"]);
        let read: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        let wanted: Vec<Vec<String>> = names
            .iter()
            .map(|(name, value)| vec!["3.000000007".to_owned(), printable(name), value.to_string()])
            .collect();
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn json_is_one_line_with_the_exact_names(names in prop::collection::vec(hostile(), 0..8)) {
        let named: Vec<Named> = names.iter().map(|name| (name.clone(), Value::Absent)).collect();
        let text = with_rows(&named, |rows| rows.json()).unwrap();
        prop_assert_eq!(text.lines().count(), 1);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let read: Vec<&str> = json["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        prop_assert_eq!(read, names);
    }
}
