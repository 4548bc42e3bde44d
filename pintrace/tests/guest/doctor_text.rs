//! The page of `pintrace doctor`, on a kernel with which nothing is wrong.

use crate::robust_doctor::release;
use crate::robust_kit::pintrace;

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
