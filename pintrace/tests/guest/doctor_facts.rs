//! `pintrace doctor --facts`: the verifier must not process many more instructions than the file of this kernel says.

use serde_json::Value;

use crate::harness::skipped;
use crate::robust_doctor::release;
use crate::robust_kit::json_of;

/// The captured facts of each kernel.
const ON_FILE: &[(&str, &str)] = &[
    (
        "5.10",
        include_str!("../../crates/probes/tests/kernels/5.10.json"),
    ),
    ("6.1", include_str!("../../crates/probes/tests/kernels/6.1.json")),
    (
        "6.12",
        include_str!("../../crates/probes/tests/kernels/6.12.json"),
    ),
    (
        "6.16",
        include_str!("../../crates/probes/tests/kernels/6.16.json"),
    ),
    (
        "6.17",
        include_str!("../../crates/probes/tests/kernels/6.17.json"),
    ),
    (
        "6.18",
        include_str!("../../crates/probes/tests/kernels/6.18.json"),
    ),
    (
        "6.19",
        include_str!("../../crates/probes/tests/kernels/6.19.json"),
    ),
    ("7.0", include_str!("../../crates/probes/tests/kernels/7.0.json")),
    ("7.1", include_str!("../../crates/probes/tests/kernels/7.1.json")),
    ("7.2", include_str!("../../crates/probes/tests/kernels/7.2.json")),
    (
        "7.3-rt",
        include_str!("../../crates/probes/tests/kernels/7.3-rt.json"),
    ),
    ("7.3", include_str!("../../crates/probes/tests/kernels/7.3.json")),
];

#[test]
fn the_verifier_processes_at_most_a_tenth_more_instructions_than_on_file() {
    const NAME: &str = "the_verifier_processes_at_most_a_tenth_more_instructions_than_on_file";
    let found = json_of(&["doctor", "--facts"]);
    let release = release();
    let (series, flavour) = (release.splitn(3, ['.', '-']).take(2), release.contains("-rt-"));
    let series = series.collect::<Vec<_>>().join(".") + if flavour { "-rt" } else { "" };
    let on_file = ON_FILE.iter().find(|(name, _)| *name == series);
    let (_, on_file) =
        on_file.unwrap_or_else(|| panic!("no facts of {series} on file: run cargo xtask facts"));
    let on_file: Value = serde_json::from_str(on_file).unwrap();
    let (found, on_file) = (&found["verified"], &on_file["verified"]);
    if found.as_object().unwrap().is_empty() {
        return skipped(
            NAME,
            &"this kernel does not report the instructions that its verifier processed",
        );
    }
    let mut grown = Vec::new();
    for (program, count) in found.as_object().unwrap() {
        let (count, before) = (count.as_u64().unwrap(), on_file[program].as_u64().unwrap_or(0));
        println!("{program}: {count} instructions, {before} on file");
        if count * 10 > before * 11 {
            grown.push(program);
        }
    }
    assert!(
        grown.is_empty(),
        "{grown:?}: more than a tenth above the file: fix the programs, or update the file with cargo xtask facts"
    );
}
