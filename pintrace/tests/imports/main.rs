//! The layers: who may import whom. The rules stand in `rules`, how paths are found in `paths`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod paths;
mod rules;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use paths::{module_of, paths, test_modules};
use rules::{Rules, broken};

/// A source file, and where it stands in its crate: `["model", "field"]` for `src/model/field.rs`.
struct Source {
    path: PathBuf,
    module: Vec<String>,
    text: String,
}

fn sources(root: &Path) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = module_of(path.strip_prefix(root).unwrap());
                let text = fs::read_to_string(&path).unwrap();
                sources.push(Source { path, module, text });
            }
        }
    }
    without_tests(sources)
}

/// Tests may import what they like.
fn without_tests(sources: Vec<Source>) -> Vec<Source> {
    let tests: BTreeSet<Vec<String>> = sources
        .iter()
        .flat_map(|source| {
            test_modules(&source.text)
                .into_iter()
                .map(|name| [source.module.clone(), vec![name]].concat())
        })
        .collect();
    let is_test = |module: &[String]| (1..=module.len()).any(|length| tests.contains(&module[..length]));
    sources
        .into_iter()
        .filter(|source| !is_test(&source.module))
        .collect()
}

fn violations(root: &str, rules: &Rules) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let sources = sources(&root);
    assert!(!sources.is_empty(), "no sources under {}", root.display());
    let of = |source: &Source| {
        let broken = broken(rules, &source.module, &paths(&source.text));
        broken
            .into_iter()
            .map(|rule| format!("{}: {rule}", source.path.display()))
            .collect::<Vec<_>>()
    };
    sources.iter().flat_map(of).collect()
}

#[test]
fn the_library_keeps_its_layers() {
    assert_eq!(violations("src", &rules::LIBRARY), Vec::<String>::new());
}

#[test]
fn the_programs_see_nothing_of_user_space() {
    assert_eq!(
        violations("../pintrace-ebpf/src", &rules::EBPF),
        Vec::<String>::new()
    );
}

#[test]
fn what_both_sides_share_sees_neither() {
    assert_eq!(
        violations("../pintrace-common/src", &rules::COMMON),
        Vec::<String>::new()
    );
}

#[test]
fn every_module_of_the_library_has_a_rule() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let tests = test_modules(&lib);
    let modules = lib
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
    for module in modules.map(|module| module.trim_end_matches(';')) {
        let known = rules::LIBRARY.modules.iter().any(|rule| rule.module == module);
        assert!(
            known || tests.iter().any(|test| test == module),
            "{module} has no rule"
        );
    }
}

/// What the library's rules say about a forged file.
fn forged(module: &str, text: &str) -> Vec<String> {
    let module: Vec<String> = module.split("::").map(str::to_owned).collect();
    broken(&rules::LIBRARY, &module, &paths(text))
}

#[test]
fn a_model_that_reads_files_or_clocks_is_caught() {
    assert_eq!(forged("model::fold", "use std::time::Instant;").len(), 1);
    assert_eq!(
        forged(
            "model::fold",
            "fn now() { let _ = std::time::SystemTime::now(); }"
        )
        .len(),
        1
    );
    assert_eq!(
        forged(
            "model::fold",
            "use std::{collections::BTreeMap, fs::{self, File}};"
        )
        .len(),
        2
    );
    assert_eq!(forged("model", "use aya::maps::RingBuf;").len(), 1);
    assert!(
        forged(
            "model::fold",
            "use std::time::Duration; use std::collections::BTreeMap;"
        )
        .is_empty()
    );
}

#[test]
fn layers_that_look_up_are_caught() {
    assert_eq!(forged("record::file", "use crate::model::Model;").len(), 1);
    assert_eq!(
        forged("record::file", "use crate::{event::Event, model::{Model, text}};").len(),
        2
    );
    assert_eq!(
        forged("event", "fn f() { crate::record::format::checksum(&[]); }").len(),
        1
    );
    assert_eq!(forged("source", "use super::tui;").len(), 1);
    assert_eq!(forged("source::live", "use super::super::model::Model;").len(), 1);
    assert_eq!(forged("pipeline", "use crate::export::json;").len(), 1);
}

#[test]
fn views_that_see_one_another_are_caught() {
    assert_eq!(forged("tui::table", "use crate::export::table;").len(), 1);
    assert_eq!(forged("export::json", "use crate::metrics;").len(), 1);
    assert_eq!(
        forged("metrics", "pub(crate) use crate::tui::theme as colours;").len(),
        1
    );
}

#[test]
fn programs_that_see_user_space_are_caught() {
    let text =
        "use std::fs; use aya::Ebpf; use aya_ebpf::maps::Array; use pintrace_common::wire; use crate::x;";
    assert_eq!(broken(&rules::EBPF, &["hooks".to_owned()], &paths(text)).len(), 2);
}

#[test]
fn comments_strings_and_tests_are_no_imports() {
    assert!(
        forged(
            "model",
            "// use crate::tui;\n/* crate::tui::App */ /// [`crate::tui`]\n"
        )
        .is_empty()
    );
    assert!(
        forged(
            "model",
            "const A: &str = \"crate::tui\"; const B: &str = r#\"std::fs\"#;"
        )
        .is_empty()
    );
    assert!(forged("model", "fn f<'a>(c: &'a char) { *c == '\"'; } // \" crate::tui").is_empty());
    assert!(forged("model", "#[cfg(test)]\nmod tests {\n    use crate::tui;\n}\n").is_empty());
    assert_eq!(
        forged("model", "#[cfg(test)]\nmod tests {}\nuse crate::tui;").len(),
        1
    );
    assert_eq!(
        test_modules("mod a;\n#[cfg(test)]\nmod b;\n#[cfg(test)]\n#[path = \"x\"]\npub mod c;"),
        ["b", "c"]
    );
}
