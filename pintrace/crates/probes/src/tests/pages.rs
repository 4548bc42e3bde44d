//! Text generated from the fixtures: the plan of each kernel, and docs/kernels.md. `INSTA_UPDATE=always cargo test
//! -p pintrace-probes` rewrites the files.

use std::fmt::Write as _;
use std::path::Path;

use super::super::plan::{PlanChoice, plan};
use super::super::table::{HOOKS, Hook, Method};
use super::{all, methods};
use pintrace_kernel::capture::Capture;
use pintrace_kernel::facts::{BESIDE, FunctionFacts, KernelFacts};
use pintrace_kernel::scan_layout;
use pintrace_testing::expected_file::assert_file;

/// The text of docs/kernels.md before the table of hooks.
const HEAD: &str = "\
# Hooks on each kernel

This page is generated from the fixtures that `cargo xtask facts` captures in guests with Debian's
kernels. `INSTA_UPDATE=always cargo test -p pintrace-probes` rewrites the page, and the tests
compare the page with the fixtures. `cargo xtask test --kernels all` runs the workloads on each
kernel. `pintrace doctor --explain PURPOSE` explains the hooks of a purpose.
";

/// The text of docs/kernels.md between the table of hooks and the rows on the verifier.
const LEGEND: &str = "
- `-`: this kernel has no such function, so nothing is lost.
- `not_needed`: another hook sees the events of this hook on this kernel. The hook is attached only
  where the other function cannot be hooked, or is inlined.
- `x2`: attached twice, as a primary and a backup program, because this kernel may preempt a thread
  inside a hook and then skips the hook for other threads.
- `kretprobe+kprobe`: a trampoline of this kernel cannot pass the arguments of the function, because
  there are too many arguments or one argument is a struct; or the function is in a module, and is
  hooked if the module is loaded at the start of a session. The fixtures of kernels whose modules
  Debian has dropped (6.19 to 7.1) have no modules.

## Instructions that the verifier follows

The verifier allows 1,000,000 instructions for each program. Kernels before 5.16 do not report the
number of instructions that the verifier followed.

| kernel | release | programs | most | on average |
|---|---|---|---|---|
";

/// Returns a plan as text: one line for each hook, then the functions that no hook uses, then the layouts.
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
        "{release} ({machine}), kprobes: {}, bpf_loop: {}, backup programs: {}\n\n",
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
    text.push_str("\nfunctions without a hook\n");
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
        Some(other) => format!("{ways}, unless {other} is attached"),
        None => ways,
    }
}

fn offered(function: &FunctionFacts) -> String {
    match (&function.prototype, function.in_kallsyms, function.traceable) {
        (None, Some(false), _) => "absent".to_owned(),
        (None, ..) => "not in BTF".to_owned(),
        (Some(_), Some(false), _) => "in BTF only".to_owned(),
        (Some(_), _, Some(false)) => "cannot be traced".to_owned(),
        (Some(prototype), ..) => format!("exists: {}", prototype.parameters.join(", ")),
    }
}

#[test]
fn the_plan_of_each_kernel_is_unchanged() {
    for (name, capture) in all() {
        insta::assert_snapshot!(format!("plan_{name}"), text(&capture));
    }
}

#[test]
fn the_page_on_kernels_agrees_with_the_fixtures() {
    let kernels = all();
    let names: Vec<_> = kernels.iter().map(|(name, _)| name.as_str()).collect();
    let mut page = format!(
        "{HEAD}\n| purpose | function | {} |\n|---|---|{}\n",
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
        let (purposes, ways) = (purposes.join(", "), ways.join(" | "));
        writeln!(page, "| {purposes} | {} | {ways} |", hook.function).unwrap();
    }
    page.push_str(LEGEND);
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
    assert_file(&path, &page);
}
