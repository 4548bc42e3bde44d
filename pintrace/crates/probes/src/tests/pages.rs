//! Pages that are made of what is on file and checked against it: a plan beside each fixture, and docs/kernels.md.
//! `BLESS=1` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use super::super::plan::{PlanChoice, plan};
use super::super::table::{HOOKS, Hook, Method};
use super::{all, folder, methods};
use pintrace_kernel::capture::Capture;
use pintrace_kernel::facts::{BESIDE, FunctionFacts, KernelFacts};
use pintrace_kernel::scan_layout;

/// The plan as text: a line a hook, then what stands beside the table, then the layout.
fn text(capture: &Capture) -> String {
    let KernelFacts {
        release,
        machine,
        kprobes,
        bpf_loop,
        preemption,
        ..
    } = &capture.kernel;
    let yes = |answer: Option<bool>| answer.map_or("unknown", |yes| if yes { "yes" } else { "no" });
    let mut text = format!(
        "{release} ({machine}), kprobes: {}, bpf_loop: {}, every hook twice: {}\n\n",
        yes(*kprobes),
        yes(Some(*bpf_loop)),
        yes(Some(*preemption))
    );
    for line in plan(HOOKS, &capture.kernel) {
        let purposes: Vec<_> = line
            .hook
            .purposes
            .iter()
            .map(|purpose| purpose.as_str())
            .collect();
        let (function, purposes) = (line.hook.function, purposes.join(","));
        writeln!(
            text,
            "{function:<34}{purposes:<15}{}",
            chosen(line.hook, &line.choice)
        )
        .unwrap();
    }
    text.push_str("\nno hook uses\n");
    for function in BESIDE {
        writeln!(
            text,
            "{function:<49}{}",
            offered(&capture.kernel.functions[*function])
        )
        .unwrap();
    }
    match capture.layout() {
        Ok(facts) => writeln!(text, "\n{facts:#x?}"),
        Err(unknown) => writeln!(text, "\nno layout: {unknown}"),
    }
    .unwrap();
    match capture.mm_event_layout() {
        Ok(facts) => writeln!(text, "\n{facts:#x?}"),
        Err(unknown) => writeln!(text, "\nno findings: {unknown}"),
    }
    .unwrap();
    match scan_layout::layout(&capture.types) {
        Ok(layout) => writeln!(text, "\nscan {layout:#x?}"),
        Err(unknown) => writeln!(text, "\nno scan: {unknown}"),
    }
    .unwrap();
    text
}

fn chosen(hook: &Hook, choice: &PlanChoice) -> String {
    let text = match choice {
        PlanChoice::NotHere => return "absent".to_owned(),
        PlanChoice::NotNeeded => return "not_needed".to_owned(),
        PlanChoice::Missing(why) => return format!("missing: {why}; lost: {}", hook.lost),
        PlanChoice::Try(candidates) => candidates.iter().map(|candidate| {
            let methods: Vec<_> = methods(candidate).into_iter().map(Method::as_str).collect();
            methods.join("+")
        }),
    };
    let ways = text.collect::<Vec<_>>().join(", else ");
    match hook.stands_in_for {
        Some(other) => format!("{ways}, if not {other}"),
        None => ways,
    }
}

fn offered(function: &FunctionFacts) -> String {
    match (&function.prototype, function.in_kallsyms, function.traceable) {
        (None, Some(false), _) => "absent".to_owned(),
        (None, ..) => "not in BTF".to_owned(),
        (Some(_), Some(false), _) => "in BTF only".to_owned(),
        (Some(_), _, Some(false)) => "cannot be traced".to_owned(),
        (Some(prototype), ..) => format!("there: {}", prototype.parameters.join(", ")),
    }
}

#[test]
fn each_kernels_plan_is_the_one_on_file() {
    for (name, capture) in all() {
        let path = folder().join(format!("{name}.plan.txt"));
        let text = text(&capture);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text, expected,
            "{name}.plan.txt differs; if it should, run the tests with BLESS=1"
        );
    }
}

#[test]
fn the_page_on_kernels_is_the_one_on_file() {
    let kernels = all();
    let names: Vec<_> = kernels.iter().map(|(name, _)| name.as_str()).collect();
    let mut page = format!(
        "# What is hooked on which kernel\n\n\
         As found in guests with Debian's kernels (`cargo xtask facts`); this page is made from what is on file by\n\
         `BLESS=1 cargo test -p pintrace attach` and checked by the tests. `cargo xtask test --kernels all` runs the\n\
         workloads on each. What each hook is for: `pintrace doctor --explain PURPOSE`.\n\n\
         | purpose | function | {} |\n|---|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for (index, hook) in HOOKS.iter().enumerate() {
        let ways = kernels
            .iter()
            .map(|(_, capture)| match capture.hooks[index].how.as_str() {
                "absent" => "-",
                how => how,
            });
        let ways: Vec<_> = ways.collect();
        let purposes: Vec<_> = hook.purposes.iter().map(|purpose| purpose.as_str()).collect();
        writeln!(
            page,
            "| {} | {} | {} |",
            purposes.join(", "),
            hook.function,
            ways.join(" | ")
        )
        .unwrap();
    }
    page.push_str(
        "\n- `-`: this kernel has no such function, so nothing is lost.\n\
         - `not_needed`: only needed where what it stands in for cannot be hooked, or is inlined.\n\
         - `x2`: attached twice, because this kernel may take a thread off its CPU inside a hook, and skips the hook for \
         others then.\n\
         - `kretprobe+kprobe`: the function has more arguments than a trampoline carries there, or takes a struct.\n\n\
         ## What the verifier follows\n\n\
         Of 1,000,000 instructions that it allows a program; before 5.16 it does not tell.\n\n\
         | kernel | release | programs | most | on average |\n|---|---|---|---|---|\n",
    );
    for (name, capture) in &kernels {
        let counts: Vec<u32> = capture.verified.values().copied().collect();
        let release = &capture.kernel.release;
        let most = counts.iter().max();
        match (most, u32::try_from(counts.len())) {
            (Some(most), Ok(programs)) => writeln!(
                page,
                "| {name} | {release} | {programs} | {most} | {} |",
                counts.iter().sum::<u32>() / programs
            ),
            _ => writeln!(page, "| {name} | {release} | | | |"),
        }
        .unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/kernels.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page);
}
