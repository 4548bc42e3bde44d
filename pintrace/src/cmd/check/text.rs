//! Renders the report of a check as text.

use pintrace_model::finding::{Finding, PinSide, TriggerSide};
use pintrace_model::text::{printable, span};
use pintrace_text::counted;

use super::result::{CheckResult, RuledFinding, Ruling};

/// Returns the report, with a line end after each line.
pub(super) fn render(result: &CheckResult<'_>) -> String {
    let mut lines = vec![format!("pintrace: {}", summary(result))];
    for RuledFinding { finding, ruling } in &result.findings {
        match ruling {
            Ruling::Fails => {
                lines.push(format!("FAILS    {}", headline(finding)));
                lines.extend(details(finding, result).into_iter().map(|line| indented(&line)));
            }
            Ruling::Allowed(entry) => {
                lines.push(format!("allowed  {}", headline(finding)));
                lines.push(indented(&format!(
                    "{}: {}",
                    entry.location,
                    printable(&entry.reason)
                )));
            }
            Ruling::Noted => {
                lines.push(format!("listed   {}", headline(finding)));
                lines.push(indented(finding.explanation));
            }
        }
    }
    let loss = if result.allow_loss { "lost   " } else { "FAILS  " };
    for lost in &result.losses {
        lines.push(format!("{loss}  {} {}: {}", lost.name, lost.amount, lost.meaning));
    }
    let warnings = result.warnings.iter();
    lines.extend(warnings.map(|warning| format!("warning  {}", printable(warning))));
    lines.join("\n") + "\n"
}

/// Returns the result in one line.
pub(super) fn summary(result: &CheckResult<'_>) -> String {
    let code = result
        .exit_code()
        .map_or_else(String::new, |code| format!(" (exit code of COMMAND: {code})"));
    if result.passed() {
        return format!("check passed{code}");
    }
    let mut why = Vec::new();
    let failing = result.failing().count() as u64;
    if failing > 0 {
        why.push(counted(failing, "finding"));
    }
    if result.loss_fails() {
        why.push("events were lost, so findings may be missing".to_owned());
    }
    format!("check failed: {}{code}", why.join("; "))
}

/// Returns a finding in one line.
pub(super) fn headline(finding: &Finding) -> String {
    let comm = printable(&finding.comm);
    let trigger = finding
        .trigger
        .as_ref()
        .map_or_else(String::new, |trigger| format!(" ({})", trigger.what.as_str()));
    let Finding {
        kind,
        severity,
        count,
        ..
    } = finding;
    let (pid, place) = (finding.pid.0, finding.place());
    format!("{severity} {kind}{trigger}: {comm}[{pid}], {place}, {count}x")
}

/// Returns all facts about a finding, one fact a line, with control characters escaped.
pub(super) fn details(finding: &Finding, result: &CheckResult<'_>) -> Vec<String> {
    let after = span(finding.first.since(result.start()));
    let mut lines = vec![format!("first seen {after} after the start")];
    if let Some(trigger) = &finding.trigger {
        lines.extend(trigger_lines(trigger));
    }
    if let Some(pin) = &finding.pin {
        lines.extend(pin_lines(pin));
    }
    lines.extend([finding.explanation.to_owned(), finding.advice.to_owned()]);
    lines
}

fn trigger_lines(trigger: &TriggerSide) -> Vec<String> {
    let what = trigger.what.as_str();
    let by = format!("{what} by {}[{}]", printable(&trigger.comm), trigger.pid.0);
    std::iter::once(by).chain(stack(&trigger.stack)).collect()
}

fn pin_lines(pin: &PinSide) -> Vec<String> {
    let (thread, subsystem, age) = (pin.tid.0, pin.subsystem, span(pin.age));
    let by = if pin.reference {
        format!("referenced by thread {thread} through {subsystem}, {age} earlier")
    } else {
        let declared = if pin.longterm { "long-term" } else { "short-term" };
        format!(
            "pinned by thread {thread} through {subsystem}, {declared}, {}, {age} earlier",
            counted(pin.pages, "page")
        )
    };
    std::iter::once(by).chain(stack(&pin.stack)).collect()
}

fn stack(stack: &[String]) -> Option<String> {
    let frames: Vec<_> = stack.iter().map(|frame| printable(frame)).collect();
    (!frames.is_empty()).then(|| format!("  in {}", frames.join(" < ")))
}

fn indented(line: &str) -> String {
    format!("         {line}")
}
