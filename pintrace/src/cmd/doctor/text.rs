//! Renders the report of `doctor` as text.

use std::io::{self, Write};

use pintrace_probes::table::{HOOKS, LONGTERM, Purpose};

use super::reasons::reasons;
use super::{Diagnosis, hook_table, is_issue};

/// Writes the report. With `brief`, writes of the settings, paths and hooks only those with an issue.
pub(super) fn write(diagnosis: &Diagnosis, brief: bool, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "kernel   {} ({})", diagnosis.kernel, diagnosis.machine)?;
    match diagnosis.programs {
        "without_bpf_loop" => writeln!(out, "programs without bpf_loop, for kernels before 5.17")?,
        "with_bpf_loop" => writeln!(out, "programs with bpf_loop, for kernels since 5.17")?,
        _ => {}
    }
    let trace = match (diagnosis.can_trace, diagnosis.tried) {
        (true, _) => "pins and releases can be traced",
        (false, true) => "pins cannot be traced: the kernel refused the hooks below",
        (false, false) => "not tried",
    };
    writeln!(out, "trace    {trace}")?;
    let scan = match &diagnosis.without_scan {
        None if diagnosis.can_scan => {
            "memory can be scanned: scan, top, record and serve show the held pages".to_owned()
        }
        None => "not tried".to_owned(),
        Some(why) => format!("memory cannot be scanned: {why}"),
    };
    writeln!(out, "scan     {scan}")?;
    writeln!(
        out,
        "sandbox  {}: restricts top, record, check and serve once hooks are attached",
        diagnosis.sandbox.text
    )?;
    if let Some(test) = &diagnosis.self_test {
        let result = if test.passed { "passed" } else { "failed" };
        writeln!(out, "test     {result}: {}", test.text)?;
    }
    for path in diagnosis.paths.iter().filter(|path| !brief || path.is_unseen) {
        writeln!(out, "path     {}: {}", path.path, path.text)?;
    }
    for problem in &diagnosis.problems {
        writeln!(out, "problem  {problem}")?;
    }
    if brief {
        return write_issues(diagnosis, out);
    }
    write_environment(diagnosis, out)?;
    if diagnosis.hooks.is_empty() {
        return Ok(());
    }
    hook_table::write(diagnosis, out)?;
    writeln!(
        out,
        "\nabsent: this kernel has no such function, so no event is lost.\n\
         not_needed: a substitute, attached only where {LONGTERM} cannot be hooked or do_madvise is inlined.{}",
        if diagnosis.preemption {
            "\nx2: with a backup program, because this kernel may preempt a thread inside a hook and then skips the hook \
             for other threads on that CPU."
        } else {
            ""
        }
    )
}

/// Writes the settings and hooks that lose something, in a line each.
fn write_issues(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    for check in diagnosis.environment.iter().filter(|check| is_issue(check)) {
        let state = check.state.as_str();
        writeln!(
            out,
            "{state:<9}{}: {}; remedy: {}",
            check.name, check.found, check.remedy
        )?;
    }
    if !diagnosis.can_trace {
        // The reasons say it all: each event is lost.
        for reason in reasons(diagnosis) {
            write!(out, "missing  {}: {}", reason.hooks(), reason.why)?;
            write_remedy(reason.remedy, out)?;
        }
        return Ok(());
    }
    for hook in diagnosis.hooks.iter().filter(|hook| hook.is_missing()) {
        writeln!(
            out,
            "missing  {}: {}; lost: {}",
            hook.function, hook.why, hook.lost
        )?;
    }
    Ok(())
}

fn write_remedy(remedy: &str, out: &mut dyn Write) -> io::Result<()> {
    match remedy {
        "" => writeln!(out),
        remedy => writeln!(out, "; remedy: {remedy}"),
    }
}

fn write_environment(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{:<21}{:<9}FOUND", "SYSTEM", "STATE")?;
    for check in &diagnosis.environment {
        writeln!(
            out,
            "{:<21}{:<9}{}",
            check.name,
            check.state.as_str(),
            check.found
        )?;
        if !check.remedy.is_empty() {
            writeln!(out, "    remedy {}", check.remedy)?;
        }
    }
    Ok(())
}

/// Writes the explanation of a purpose, and the functions that are hooked for the purpose.
pub(super) fn explain(purpose: Purpose, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n\nHooks, the best method first:", purpose.explanation())?;
    for hook in HOOKS.iter().filter(|hook| hook.purposes.contains(&purpose)) {
        let methods: Vec<_> = hook
            .candidates
            .iter()
            .map(|candidate| {
                let methods = candidate.attachments.iter().map(|one| one.method.as_str());
                methods.collect::<Vec<_>>().join("+")
            })
            .collect();
        let only = match hook.stands_in_for {
            Some(other) => format!(", only where {other} cannot be hooked"),
            None => String::new(),
        };
        writeln!(out, "  {:<34}{}{only}", hook.function, methods.join(", else "))?;
        writeln!(out, "    lost without this hook: {}", hook.lost)?;
    }
    out.flush()
}
