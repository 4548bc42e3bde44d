//! Compares the tables of fields in docs/queries.md with the catalogue.

use std::fs;
use std::path::Path;

use pintrace_testing::expected_file::{assert_file, with_block};

use super::rows::{
    CALL_SITES, CALLS_IN_FLIGHT, CGROUPS, CHANGES, FAILED_REGISTRATIONS, FINDINGS, HOLDERS, PIN_CALLS, PINS,
    PROCESSES, SYSTEM, WINDOWS,
};
use super::{Query, RowFields};

/// Returns the table of the fields of a kind of row.
fn table<T>(rows: &RowFields<T>) -> String {
    let mut table = "| field | other names | unit | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for field in rows.all() {
        let aliases = rows.aliases.iter().filter(|(_, id)| *id == field.id);
        let aliases = aliases.map(|(alias, _)| *alias);
        let others: Vec<String> = [field.title]
            .into_iter()
            .chain(aliases)
            .filter(|name| !name.eq_ignore_ascii_case(field.id))
            .map(|name| format!("`{name}`"))
            .collect();
        let others = if others.is_empty() {
            "-".to_owned()
        } else {
            others.join(", ")
        };
        let cells = [
            format!("`{}`", field.id),
            others,
            field.unit.as_str().into(),
            field.help.into(),
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        table.extend(["| ", &cells.join(" | "), " |\n"]);
    }
    table
}

/// `INSTA_UPDATE=always cargo test -p pintrace-query` rewrites the tables.
#[test]
fn the_tables_of_fields_match_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/queries.md");
    let tables = [
        ("processes", table(&PROCESSES)),
        (
            "changes",
            table(&RowFields {
                columns: &CHANGES.columns[..1],
                ..CHANGES
            }),
        ),
        ("findings", table(&FINDINGS)),
        ("flush windows", table(&WINDOWS)),
        ("pin calls", table(&PIN_CALLS)),
        ("calls in flight", table(&CALLS_IN_FLIGHT)),
        ("cgroups", table(&CGROUPS)),
        ("holders", table(&HOLDERS)),
        ("pins", table(&PINS)),
        ("call sites", table(&CALL_SITES)),
        ("system", table(&SYSTEM)),
        ("refused registrations", table(&FAILED_REGISTRATIONS)),
    ];
    let text = fs::read_to_string(&path).unwrap();
    let expected = tables.iter().fold(text, |text, (name, table)| {
        with_block(&text, &format!("fields: {name}"), table).unwrap_or_else(|| panic!("no table of {name}"))
    });
    assert_file(&path, &expected);
}

/// The lines of the examples begin with a query, and each has two spaces before its meaning.
#[test]
fn each_example_is_a_query_over_processes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/queries.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("## Examples").unwrap();
    let (_, block) = rest.split_once("```text\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    assert!(block.lines().count() > 5);
    for line in block.lines() {
        let (query, _) = line.split_once("  ").unwrap();
        if let Err(error) = Query::parse(query, &PROCESSES) {
            panic!("{error}");
        }
    }
}
