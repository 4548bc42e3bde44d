//! Renders the table of the hooks, and the reasons why hooks are missing.

use std::io::{self, Write};

use super::Diagnosis;
use super::hooks::HookLine;
use super::reasons::{Reason, reasons, without_method};

/// Writes the reasons that several hooks have, and a line for each hook.
pub(super) fn write(diagnosis: &Diagnosis, out: &mut dyn Write) -> io::Result<()> {
    let (shared, single): (Vec<Reason>, Vec<Reason>) = reasons(diagnosis)
        .into_iter()
        .partition(|reason| reason.functions.len() > 1);
    if !shared.is_empty() {
        writeln!(out, "\n{:<8}{:<7}WHY THEY ARE MISSING", "REASON", "HOOKS")?;
    }
    for (index, reason) in shared.iter().enumerate() {
        writeln!(out, "{:<8}{:<7}{}", index + 1, reason.functions.len(), reason.why)?;
        part("remedy", reason.remedy, out)?;
    }
    let widths = Widths::of(&diagnosis.hooks);
    writeln!(
        out,
        "\n{}",
        widths.row(["FUNCTION", "PURPOSE", "STATUS", "METHOD"])
    )?;
    for hook in &diagnosis.hooks {
        let why = without_method(&hook.why);
        let is_of = |reason: &&Reason| hook.is_missing() && reason.why == why;
        let number = shared.iter().position(|reason| is_of(&reason));
        let method = match number {
            Some(index) => format!("- (reason {})", index + 1),
            None => methods(hook),
        };
        let purposes = hook.purposes.join(",");
        writeln!(
            out,
            "{}",
            widths.row([hook.function, &purposes, hook.status, &method])
        )?;
        if number.is_none() {
            part("why  ", &hook.why, out)?;
            let remedy = single.iter().find(is_of).map_or("", |reason| reason.remedy);
            part("remedy", remedy, out)?;
        }
        part("lost ", hook.lost, out)?;
    }
    Ok(())
}

fn methods(hook: &HookLine) -> String {
    match (hook.methods.join("+"), hook.has_backups) {
        (methods, _) if methods.is_empty() => "-".to_owned(),
        (methods, false) => methods,
        (methods, true) => format!("{methods} x2"),
    }
}

/// Writes a line below a row, if there is a text.
fn part(name: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    writeln!(out, "    {name} {text}")
}

/// The widths of the first columns.
struct Widths([usize; 3]);

impl Widths {
    /// The least widths, as on a kernel on which each hook is attached.
    const LEAST: [usize; 3] = [34, 16, 10];

    fn of(hooks: &[HookLine]) -> Self {
        let mut widths = Self::LEAST;
        for hook in hooks {
            let cells = [
                hook.function.len(),
                hook.purposes.join(",").len(),
                hook.status.len(),
            ];
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = (*width).max(cell + 2);
            }
        }
        Self(widths)
    }

    fn row(&self, cells: [&str; 4]) -> String {
        let [function, purpose, status] = self.0;
        let [first, second, third, last] = cells;
        format!("{first:<function$}{second:<purpose$}{third:<status$}{last}")
    }
}
