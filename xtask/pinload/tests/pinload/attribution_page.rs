//! The table of cases in docs/attribution.md has each case of `pinload holder`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::session::command;

/// Returns the cases that the help of `holder` lists.
fn cases() -> BTreeSet<String> {
    let output = command("holder --help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let items = help.lines().filter_map(|line| line.trim().strip_prefix("- "));
    items
        .filter_map(|item| item.split_once(':'))
        .map(|(case, _)| case.to_owned())
        .collect()
}

#[test]
fn the_page_has_each_case() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/attribution.md");
    let text = fs::read_to_string(page).unwrap();
    let (_, table) = text.split_once("| case | situation |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let listed: BTreeSet<_> = rows
        .map(|row| row.split('|').nth(1).unwrap().trim().to_owned())
        .collect();
    let cases = cases();
    assert!(cases.len() > 10, "{cases:?}");
    assert_eq!(listed, cases);
}
