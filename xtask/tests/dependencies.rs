//! The crates that hold data and logic depend neither on the eBPF loader nor on a terminal or an async runtime.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::process::Command;

/// Crates below which no I/O happens.
const PURE: [&str; 4] = [
    "pintrace-events",
    "pintrace-model",
    "pintrace-query",
    "pintrace-record",
];
/// Crates, and families of crates (`aya-obj`), that do I/O.
const IMPURE: [&str; 3] = ["aya", "ratatui", "tokio"];

/// The names of all normal dependencies of a package, direct and indirect.
fn dependencies(package: &str) -> Vec<String> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--package", package])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap());
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let tree = String::from_utf8(output.stdout).unwrap();
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

fn is_impure(name: &str) -> bool {
    let in_family = |family: &str| {
        name.strip_prefix(family)
            .is_some_and(|rest| rest.starts_with('-'))
    };
    IMPURE.iter().any(|family| name == *family || in_family(family))
}

#[test]
fn events_model_query_and_record_depend_on_no_loader_terminal_or_runtime() {
    for package in PURE {
        let dependencies = dependencies(package);
        assert!(
            dependencies.iter().any(|name| name == package),
            "{dependencies:?}"
        );
        let impure: Vec<_> = dependencies.iter().filter(|name| is_impure(name)).collect();
        assert!(impure.is_empty(), "{package} depends on {impure:?}");
    }
}

/// Control: the search finds the crates in a package that depends on them.
#[test]
fn the_top_package_depends_on_all_of_them() {
    let dependencies = dependencies("pintrace");
    for name in IMPURE {
        assert!(dependencies.iter().any(|found| found == name), "{name}");
    }
}
