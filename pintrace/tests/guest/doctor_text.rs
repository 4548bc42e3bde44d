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
        ended
            .out
            .contains("verdict  pins and releases can be traced here"),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("problem"), "{}", ended.out);
    let starts = |word: &str| ended.out.lines().any(|line| line.starts_with(word));
    assert!(starts("pin_user_pages_fast ") && starts("unpin_user_pages ") && starts("sched_process_exit "));
    let costs = ended
        .out
        .lines()
        .filter(|line| line.starts_with("    costs "))
        .count();
    assert_eq!(costs, ended.out.matches("kretprobe").count(), "{}", ended.out);
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
fn without_the_jit_it_names_the_remedy_and_memory_can_still_be_looked_at() {
    const NAME: &str = "without_the_jit_it_names_the_remedy_and_memory_can_still_be_looked_at";
    let before = Before::now();
    let without = match WithoutJit::begin() {
        Ok(without) => without,
        Err(why) => return skipped(NAME, &why),
    };
    let doctor = pintrace(&["doctor"]);
    let scan = pintrace(&["scan", "--json"]);
    drop(without);
    // Something can be looked at, and everything else is lost.
    assert_eq!(doctor.code, 4, "{}{}", doctor.out, doctor.said);
    for part in [
        "verdict  pins cannot be traced here: the kernel refused the hooks below",
        "state    memory can be looked at",
        "remedy sysctl net.core.bpf_jit_enable=1",
        // What is refused is what the programs need at least, and not what only makes them faster.
        "callbacks are not allowed in non-JITed programs",
    ] {
        assert!(doctor.out.contains(part), "no {part:?} in {}", doctor.out);
    }
    assert_eq!(scan.code, 0, "{}", scan.said);
    before.assert_nothing_is_left();
}
