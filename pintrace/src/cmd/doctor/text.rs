//! The report of `doctor` as text.

use std::io::{self, Write};

use pintrace_probes::table::{HOOKS, LONGTERM, Purpose};

use super::Diagnosis;

pub(super) fn write(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "kernel   {} ({})", diagnosis.kernel, diagnosis.machine)?;
    match diagnosis.programs {
        "without_bpf_loop" => writeln!(out, "programs those for kernels before 5.17 (no bpf_loop)")?,
        "with_bpf_loop" => writeln!(out, "programs those for kernels since 5.17")?,
        _ => {}
    }
    let result = match (diagnosis.can_trace, diagnosis.tried) {
        (true, _) => "pins and releases can be traced here",
        (false, true) => "pins cannot be traced here: the kernel refused the hooks below",
        (false, false) => "nothing could be tried",
    };
    writeln!(out, "verdict  {result}")?;
    let scan = match &diagnosis.without_scan {
        None if diagnosis.can_scan => {
            "memory can be looked at: scan, top, record and serve see what is held".to_owned()
        }
        None => "memory was not looked at".to_owned(),
        Some(why) => format!("memory cannot be looked at: {why}"),
    };
    writeln!(out, "state    {scan}")?;
    if let Some(test) = &diagnosis.self_test {
        let result = if test.passed { "passed" } else { "failed" };
        writeln!(out, "test     {result}: {}", test.text)?;
    }
    for problem in &diagnosis.problems {
        writeln!(out, "problem  {problem}")?;
    }
    write_environment(diagnosis, out)?;
    if diagnosis.hooks.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:<34}{:<16}{:<10}HOW", "FUNCTION", "PURPOSE", "STATUS")?;
    for hook in &diagnosis.hooks {
        let how = match (hook.methods.join("+"), hook.has_backups) {
            (methods, _) if methods.is_empty() => "-".to_owned(),
            (methods, false) => methods,
            (methods, true) => format!("{methods} x2"),
        };
        let purposes = hook.purposes.join(",");
        writeln!(
            out,
            "{:<34}{:<16}{:<10}{how}",
            hook.function, purposes, hook.status
        )?;
        if !hook.why.is_empty() {
            writeln!(out, "    why   {}", hook.why)?;
        }
        if !hook.lost.is_empty() {
            writeln!(out, "    costs {}", hook.lost)?;
        }
    }
    writeln!(
        out,
        "\nabsent: this kernel has no such function, so nothing is lost.\n\
         not_needed: only needed where {LONGTERM} cannot be hooked, or do_madvise is inlined.{}",
        if diagnosis.preemption {
            "\nx2: attached twice, because this kernel may take a thread off its CPU inside a hook, and then skips it for others."
        } else {
            ""
        }
    )
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

/// Writes what a purpose is for, and the functions that are hooked for it.
pub(super) fn explain(purpose: Purpose, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n\nHooks, best way first:", purpose.explanation())?;
    for hook in HOOKS.iter().filter(|hook| hook.purposes.contains(&purpose)) {
        let ways: Vec<_> = hook
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
        writeln!(out, "  {:<34}{}{only}", hook.function, ways.join(", else "))?;
        writeln!(out, "    without it is lost: {}", hook.lost)?;
    }
    out.flush()
}
