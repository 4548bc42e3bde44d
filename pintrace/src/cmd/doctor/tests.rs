//! Tests of the text of `doctor`: what is missing, why, and what to do.

use pintrace_kernel::environment::{Check, CheckState};

use super::hooks::HookLine;
use super::*;

const REFUSED: &str = "Operation not permitted (os error 1)";

fn hook(function: &'static str, status: &'static str, why: String) -> HookLine {
    HookLine {
        function,
        purposes: vec!["acquire"],
        status,
        methods: Vec::new(),
        has_backups: false,
        why,
        lost: if status == "missing" { "some pins" } else { "" },
    }
}

/// A system on which the kernel refuses three programs, and one hook has a reason of its own.
fn refused() -> Diagnosis {
    let load = |method| format!("the kernel refused to load the {method} program: {REFUSED}");
    Diagnosis {
        kernel: "6.12".to_owned(),
        machine: "x86_64".to_owned(),
        tried: true,
        can_scan: true,
        hooks: vec![
            hook("pin_user_pages", "missing", load("fexit")),
            hook("unpin_user_pages", "missing", load("fentry")),
            hook("madvise_free_single_vma", "not_needed", String::new()),
            hook("pin_user_pages_remote", "missing", "no such prototype".to_owned()),
            hook("unpin_folio", "missing", load("kprobe")),
        ],
        ..Diagnosis::default()
    }
}

fn text(diagnosis: &Diagnosis, brief: bool) -> String {
    let mut out = Vec::new();
    text::write(diagnosis, brief, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_reason_of_several_hooks_is_written_once_with_its_remedy() {
    let text = text(&refused(), false);
    assert_eq!(text.matches(REFUSED).count(), 1, "{text}");
    assert!(
        text.contains("1       3      the kernel refused to load the program"),
        "{text}"
    );
    assert_eq!(text.matches("    remedy ").count(), 1, "{text}");
    assert!(text.contains("security module"), "{text}");
    assert_eq!(text.matches("- (reason 1)").count(), 3, "{text}");
    assert!(text.contains("    why   no such prototype"), "{text}");
}

#[test]
fn the_columns_of_the_hooks_have_two_spaces_between_them() {
    let text = text(&refused(), false);
    assert!(text.contains("acquire         not_needed  -\n"), "{text}");
}

#[test]
fn the_remedy_depends_on_what_else_the_system_allows() {
    let remedy = |change: fn(&mut Diagnosis)| {
        let mut diagnosis = refused();
        change(&mut diagnosis);
        reasons::reasons(&diagnosis)[0].remedy
    };
    assert!(remedy(|_| ()).contains("the kernel loads other BPF programs"));
    assert!(remedy(|diagnosis| diagnosis.can_scan = false).contains("seccomp filter"));
    let without_privileges = remedy(|diagnosis| {
        diagnosis.environment.push(Check {
            name: "CAP_BPF",
            state: CheckState::Bad,
            found: String::new(),
            remedy: "sudo",
        });
    });
    assert!(without_privileges.contains("settings above"));
    assert_eq!(reasons::reasons(&refused())[1].remedy, "", "another reason");
}

#[test]
fn the_brief_form_says_how_many_more_hooks_have_the_reason() {
    let brief = text(&refused(), true);
    let line = brief
        .lines()
        .find(|line| line.starts_with("missing  pin_user_pages and"));
    let line = line.unwrap_or_else(|| panic!("{brief}"));
    assert!(
        line.contains("pin_user_pages and 2 more: the kernel refused"),
        "{line}"
    );
    assert!(line.contains("; remedy: "), "{line}");
    assert!(
        brief.contains("missing  pin_user_pages_remote: no such prototype\n"),
        "{brief}"
    );
}

#[test]
fn a_file_that_is_no_btf_is_one_statement_beside_the_name_of_the_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwd");
    std::fs::write(&path, "root:x:0:0").unwrap();
    let diagnosis = diagnose(&Roots::with_btf(Some(&path)));
    let text = text(&diagnosis, false);
    assert!(text.starts_with(&format!("kernel   {} (", diagnosis.kernel)) && !diagnosis.kernel.is_empty());
    let btf = text.lines().find(|line| line.starts_with("BTF ")).unwrap();
    assert!(btf.contains("bad ") && btf.ends_with("is not BTF"), "{btf}");
}
