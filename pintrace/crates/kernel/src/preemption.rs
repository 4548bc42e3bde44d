//! Whether the kernel takes threads off their CPU inside the kernel, and so inside a hook: then it skips the
//! hook for others, and a backup program is needed.

use std::path::Path;

/// Whether it does; where that cannot be told, that it may.
///
/// `debug` is debugfs, whose `sched/preempt` names the models of a PREEMPT_DYNAMIC kernel with the one in
/// force in parentheses (`sched_dynamic_show`, kernel/sched/debug.c). `version` is `uname -v`, which has PREEMPT in
/// it on every kernel that can preempt itself (init/Makefile).
pub fn possible(debug: &Path, version: &str) -> bool {
    let models = std::fs::read_to_string(debug.join("sched/preempt")).unwrap_or_default();
    match models.split(['(', ')']).nth(1) {
        Some("none" | "voluntary") => false,
        Some(_) => true,
        None => version.is_empty() || version.contains("PREEMPT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn possible_with(models: Option<&str>, version: &str) -> bool {
        let debug = tempfile::tempdir().unwrap();
        if let Some(models) = models {
            std::fs::create_dir(debug.path().join("sched")).unwrap();
            std::fs::write(debug.path().join("sched/preempt"), models).unwrap();
        }
        possible(debug.path(), version)
    }

    #[test]
    fn the_model_in_force_decides() {
        let dynamic = "#1 SMP PREEMPT_DYNAMIC Debian";
        assert!(!possible_with(Some("none (voluntary) full \n"), dynamic));
        assert!(!possible_with(Some("(none) voluntary full\n"), dynamic));
        assert!(possible_with(Some("none voluntary (full) lazy\n"), dynamic));
        assert!(possible_with(Some("full (lazy)\n"), dynamic));
    }

    #[test]
    fn without_debugfs_the_build_decides() {
        assert!(possible_with(None, "#1 SMP PREEMPT_RT Debian"));
        assert!(possible_with(None, "#1 SMP PREEMPT_DYNAMIC Debian"));
        assert!(!possible_with(None, "#1 SMP Debian"));
        assert!(possible_with(None, ""));
    }
}
