//! The text of `pintrace doctor`, on a kernel without problems and on a kernel with the JIT off.

use std::fs;

use crate::harness::{kernel_at_least, skipped};
use crate::robust_doctor::release;
use crate::robust_kit::{Before, pintrace};

#[test]
fn the_text_has_a_line_for_each_hook_and_no_problem() {
    let ended = pintrace(&["doctor"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.starts_with(&format!("kernel   {} (", release())),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("trace    pins and releases can be traced"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("problem"), "{}", ended.stdout);
    let starts = |word: &str| ended.stdout.lines().any(|line| line.starts_with(word));
    assert!(starts("pin_user_pages_fast ") && starts("unpin_user_pages ") && starts("sched_process_exit "));
    let lost = ended
        .stdout
        .lines()
        .filter(|line| line.starts_with("    lost  "))
        .count();
    assert_eq!(
        lost,
        ended.stdout.matches("kretprobe").count(),
        "{}",
        ended.stdout
    );
}

/// Keeps the BPF JIT off until dropped.
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
fn without_the_jit_doctor_names_the_remedy_and_scan_still_works() {
    const NAME: &str = "without_the_jit_doctor_names_the_remedy_and_scan_still_works";
    let before = Before::now();
    // Before 5.17 the programs have no callbacks, and the kernel interprets them: everything works without the JIT.
    if !kernel_at_least(5, 17) {
        return skipped(NAME, &"this kernel traces without the JIT");
    }
    let without = match WithoutJit::begin() {
        Ok(without) => without,
        Err(why) => return skipped(NAME, &why),
    };
    let doctor = pintrace(&["doctor"]);
    let scan = pintrace(&["scan", "--json"]);
    drop(without);
    // Memory can be scanned, and pins cannot be traced.
    assert_eq!(doctor.code, 4, "{}{}", doctor.stdout, doctor.stderr);
    for part in [
        "trace    pins cannot be traced: the kernel refused the hooks below",
        "scan     memory can be scanned",
        "remedy sysctl net.core.bpf_jit_enable=1",
        // The shown refusal is the refusal of the minimal programs, not of an optimized variant.
        "callbacks are not allowed in non-JITed programs",
    ] {
        assert!(doctor.stdout.contains(part), "no {part:?} in {}", doctor.stdout);
    }
    assert_eq!(scan.code, 0, "{}", scan.stderr);
    before.assert_nothing_is_left();
}
