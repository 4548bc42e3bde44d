//! Tells whether the kernel preempts threads inside the kernel, and so inside a hook. Such a kernel skips the hook for
//! other threads of that CPU, so a backup program is needed.

use std::path::Path;

/// Returns true if the kernel preempts threads inside the kernel, or if neither source decides.
///
/// `debug` is debugfs. Its file `sched/preempt` lists the models of a PREEMPT_DYNAMIC kernel, with the active model in
/// parentheses (`sched_dynamic_show`, kernel/sched/debug.c). `version` is `uname -v`, which contains PREEMPT on every
/// kernel that can preempt itself (init/Makefile).
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
    fn the_active_model_decides() {
        let dynamic = "#1 SMP PREEMPT_DYNAMIC Debian";
        assert!(!possible_with(Some("none (voluntary) full \n"), dynamic));
        assert!(!possible_with(Some("(none) voluntary full\n"), dynamic));
        assert!(possible_with(Some("none voluntary (full) lazy\n"), dynamic));
        assert!(possible_with(Some("full (lazy)\n"), dynamic));
    }

    #[test]
    fn without_debugfs_uname_decides() {
        assert!(possible_with(None, "#1 SMP PREEMPT_RT Debian"));
        assert!(possible_with(None, "#1 SMP PREEMPT_DYNAMIC Debian"));
        assert!(!possible_with(None, "#1 SMP Debian"));
        assert!(possible_with(None, ""));
    }
}
