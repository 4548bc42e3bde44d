//! The page of `pintrace doctor`, on a kernel with which nothing is wrong, and on one whose JIT is off.

use std::fs;

use crate::harness::skipped;
use crate::robust_doctor::release;
use crate::robust_kit::{Before, pintrace};

#[test]
fn the_text_has_a_line_for_each_hook_and_no_problem() {
    let ended = pintrace(&["doctor"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.said);
    assert!(
        ended.out.starts_with(&format!("kernel   {} (", release())),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("trace    pins and releases can be traced"),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("problem"), "{}", ended.out);
    let starts = |word: &str| ended.out.lines().any(|line| line.starts_with(word));
    assert!(starts("pin_user_pages_fast ") && starts("unpin_user_pages ") && starts("sched_process_exit "));
    let lost = ended
        .out
        .lines()
        .filter(|line| line.starts_with("    lost  "))
        .count();
    assert_eq!(lost, ended.out.matches("kretprobe").count(), "{}", ended.out);
}

/// The JIT off as long as it lives.
struct WithoutJit;

impl WithoutJit {
    const PLACE: &str = "/proc/sys/net/core/bpf_jit_enable";

    fn begin() -> Result<Self, String> {
        fs::write(Self::PLACE, "0").map_err(|why| format!("{}: {why}", Self::PLACE))?;
        Ok(Self)
    }
}

impl Drop for WithoutJit {
    fn drop(&mut self) {
        let _ = fs::write(Self::PLACE, "1");
    }
}

#[test]
fn without_the_jit_doctor_names_the_remedy_and_memory_can_be_scanned() {
    const NAME: &str = "without_the_jit_doctor_names_the_remedy_and_memory_can_be_scanned";
    let before = Before::now();
    let without = match WithoutJit::begin() {
        Ok(without) => without,
        Err(why) => return skipped(NAME, &why),
    };
    let doctor = pintrace(&["doctor"]);
    let scan = pintrace(&["scan", "--json"]);
    drop(without);
    // Memory can be scanned, and pins cannot be traced.
    assert_eq!(doctor.code, 4, "{}{}", doctor.out, doctor.said);
    for part in [
        "trace    pins cannot be traced: the kernel refused the hooks below",
        "scan     memory can be scanned",
        "remedy sysctl net.core.bpf_jit_enable=1",
        // What is refused is what the programs need at least, and not what only makes them faster.
        "callbacks are not allowed in non-JITed programs",
    ] {
        assert!(doctor.out.contains(part), "no {part:?} in {}", doctor.out);
    }
    assert_eq!(scan.code, 0, "{}", scan.said);
    before.assert_nothing_is_left();
}
