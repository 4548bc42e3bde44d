//! What is planned on each kernel of `tests/kernels` (captured in guests by `cargo xtask facts`): the traps of
//! single kernels, each as a claim, and the pages made of it.

mod pages;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pintrace_common::facts::head_encoding;
use pintrace_common::scan::buddy;

use pintrace_kernel::scan_layout;

use super::plan::{PlanChoice, PlannedHook, plan};
use super::table::{Candidate, HOOKS, Hook, Method, Purpose};
use pintrace_kernel::capture::{Answers, Capture};
use pintrace_kernel::facts::{BESIDE, Kernel, Roots};
use pintrace_kernel::layout;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels")
}

fn load(name: &str) -> Capture {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{name}.json: {error}; `cargo xtask facts` makes it anew"))
}

/// Every fixture with its name, oldest kernel first.
fn all() -> Vec<(String, Capture)> {
    let names = std::fs::read_dir(folder()).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".json").map(str::to_owned)
    });
    let mut all: Vec<_> = names.map(|name| (name.clone(), load(&name))).collect();
    all.sort_by_key(|(name, _)| series(name));
    assert!(!all.is_empty());
    all
}

/// `6.12` and `7.3-rt` as numbers.
fn series(name: &str) -> (u32, u32) {
    let (major, rest) = name.split_once('.').unwrap();
    let minor = rest.split('-').next().unwrap();
    (major.parse().unwrap(), minor.parse().unwrap())
}

fn line(capture: &Capture, function: &str, purpose: Purpose) -> PlannedHook {
    plan(HOOKS, &capture.kernel)
        .into_iter()
        .find(|line| line.hook.function == function && line.hook.purposes.contains(&purpose))
        .unwrap()
}

/// The methods of what is tried, in order.
fn tried(capture: &Capture, function: &str, purpose: Purpose) -> Vec<Vec<Method>> {
    match line(capture, function, purpose).choice {
        PlanChoice::Try(candidates) => candidates.into_iter().map(methods).collect(),
        _ => Vec::new(),
    }
}

fn methods(candidate: &Candidate) -> Vec<Method> {
    candidate.attachments.iter().map(|one| one.method).collect()
}

fn parameters<'a>(capture: &'a Capture, function: &str) -> Option<Vec<&'a str>> {
    let prototype = capture.kernel.functions[function].prototype.as_ref()?;
    Some(prototype.parameters.iter().map(String::as_str).collect())
}

#[test]
fn a_fixture_answers_what_is_asked_today_and_nothing_else() {
    for (name, capture) in all() {
        let anew = "`cargo xtask facts` captures it anew";
        assert_eq!(Answers::of(&capture.types), capture.types, "{name}: {anew}");
        let hooked = HOOKS.iter().filter(|hook| !hook.parameters.is_empty());
        let asked: BTreeSet<_> = hooked
            .map(|hook| hook.function)
            .chain(BESIDE.iter().copied())
            .collect();
        let answered: BTreeSet<_> = capture.kernel.functions.keys().map(String::as_str).collect();
        assert_eq!(answered, asked, "{name}: {anew}");
        for (function, facts) in &capture.kernel.functions {
            assert!(
                facts.in_kallsyms.is_some() && facts.traceable.is_some(),
                "{name}: {function}"
            );
        }
    }
}

/// Whatever kernel the tests run on has BTF or has not; if it has, a capture says the same as the kernel.
#[test]
fn a_capture_gives_the_layout_of_its_kernel() {
    let roots = Roots::default();
    if !roots.btf.exists() {
        eprintln!("skipped: this kernel has no BTF");
        return;
    }
    let kernel = Kernel::read(&roots, super::table::functions()).unwrap();
    let capture = Capture::of(&kernel);
    assert_eq!(
        capture.layout(),
        layout::facts(&kernel.types, kernel.facts.preemption)
    );
    let text = serde_json::to_string(&capture).unwrap();
    assert_eq!(serde_json::from_str::<Capture>(&text).unwrap(), capture);
}

#[test]
fn more_than_six_arguments_have_probes_behind_the_trampoline() {
    for name in ["5.10", "6.1"] {
        let capture = load(name);
        let remote = "pin_user_pages_remote";
        assert_eq!(parameters(&capture, remote).unwrap().len(), 7, "{name}");
        assert_eq!(
            tried(&capture, remote, Purpose::Acquire),
            [vec![Method::Fexit], vec![Method::Kretprobe, Method::Kprobe]],
            "{name}"
        );
    }
}

/// `__gup_longterm_locked` lies inside the pin functions: a return of it that counted would count twice.
#[test]
fn only_the_outermost_functions_count_pins() {
    for hook in HOOKS
        .iter()
        .filter(|hook| hook.purposes.contains(&Purpose::Acquire))
    {
        // Beside the exported pin functions what pins a folio once more, which they never call.
        let outermost = hook.function.starts_with("pin_user_pages")
            || ["memfd_pin_folios", "folio_add_pin", "folio_add_pins"].contains(&hook.function);
        assert!(outermost, "{}", hook.function);
    }
}

#[test]
fn a_trailing_vmas_does_not_keep_a_pin_function_out() {
    for (name, capture) in all() {
        let last = parameters(&capture, "pin_user_pages").unwrap().last().copied();
        assert_eq!(last == Some("vmas"), series(&name) < (6, 5), "{name}");
        let ways = tried(&capture, "pin_user_pages", Purpose::Acquire);
        assert_eq!(ways, [[Method::Fexit]], "{name}");
    }
}

#[test]
fn pin_user_pages_unlocked_has_its_flags_last_everywhere() {
    for (name, capture) in all() {
        let function = "pin_user_pages_unlocked";
        assert_eq!(
            parameters(&capture, function).unwrap(),
            ["start", "nr_pages", "pages", "gup_flags"],
            "{name}"
        );
        assert_eq!(
            tried(&capture, function, Purpose::Acquire),
            [[Method::Fexit]],
            "{name}"
        );
        let mut swapped = capture;
        let prototype = &mut swapped.kernel.functions.get_mut(function).unwrap().prototype;
        prototype.as_mut().unwrap().parameters.swap(2, 3);
        assert!(tried(&swapped, function, Purpose::Acquire).is_empty(), "{name}");
    }
}

#[test]
fn foll_longterm_is_the_enumerator_or_where_there_is_none_the_macro() {
    for (name, capture) in all() {
        let Ok(facts) = capture.layout() else { continue };
        let enumerator = capture.types.enumerators["FOLL_LONGTERM"];
        let old = series(&name) <= (6, 1);
        assert_eq!(enumerator, (!old).then_some(0x100), "{name}");
        assert_eq!(facts.foll_longterm, if old { 0x10000 } else { 0x100 }, "{name}");
    }
}

#[test]
fn tails_name_their_head_by_a_mask_from_compound_info_on() {
    for (name, capture) in all() {
        let Ok(facts) = capture.layout() else { continue };
        let masked = series(&name) >= (7, 1);
        assert_eq!(
            capture.types.offsets["page.compound_head"].is_none(),
            masked,
            "{name}"
        );
        assert_eq!(facts.head_encoding == head_encoding::INFO, masked, "{name}");
        assert_eq!(facts.page_compound_head, 8, "{name}");
    }
}

#[test]
fn before_folios_put_compound_head_counts_what_is_dropped_again() {
    for (name, capture) in all() {
        let old = series(&name) < (5, 16);
        for (function, there) in [("gup_put_folio", !old), ("put_compound_head", old)] {
            let choice = line(&capture, function, Purpose::Retry).choice;
            assert_eq!(matches!(choice, PlanChoice::Try(_)), there, "{name}: {function}");
        }
    }
}

/// In 5.10 the size of a large page stands in the struct page after its head's, as `compound_nr`.
#[test]
fn before_folios_the_size_stands_in_the_second_page() {
    let capture = load("5.10");
    let facts = capture.layout().unwrap();
    assert_eq!(capture.types.offsets["folio._pincount"], None);
    assert_eq!(
        facts.folio_nr_pages,
        64 + capture.types.offsets["page.compound_nr"].unwrap()
    );
}

/// What the scan goes by is there on every kernel: free blocks that can be told, the way to who maps a page, AF_XDP.
#[test]
fn memory_can_be_looked_at_on_every_kernel() {
    for (name, capture) in all() {
        let layout = scan_layout::layout(&capture.types).unwrap();
        let series = series(&name);
        let known = if series < (6, 11) {
            buddy::CLEARED_BIT
        } else {
            buddy::TOP_BYTE
        };
        assert_eq!(layout.facts.buddy, known, "{name}");
        assert_eq!(layout.pinned_is_a_field, series < (5, 14), "{name}");
        assert_eq!(
            layout.facts.pincount_order,
            if series < (5, 16) { 2 } else { 1 },
            "{name}"
        );
        assert!(layout.rmap.is_some() && layout.path.xdp.is_some(), "{name}");
    }
}

/// The programs for such kernels read a trampoline's frame, so they must know how many arguments it holds
/// (`Shape::parameters` in pintrace-ebpf/src/hooks/pin.rs).
#[test]
fn without_bpf_loop_the_pin_functions_have_as_many_parameters_as_the_programs_think() {
    let known = [
        ("pin_user_pages", 5),
        ("pin_user_pages_fast", 4),
        ("pin_user_pages_fast_only", 4),
        ("pin_user_pages_remote", 7),
        ("pin_user_pages_unlocked", 4),
        ("pin_user_pages_locked", 5),
    ];
    for (name, capture) in all().into_iter().filter(|(_, capture)| !capture.kernel.bpf_loop) {
        assert!(series(&name) < (5, 17), "{name}");
        for (function, parameters_known) in known {
            let parameters = parameters(&capture, function).unwrap();
            assert_eq!(parameters.len(), parameters_known, "{name}: {function}");
        }
    }
}

/// A hook on a `static inline` function, for the test below.
static REUSE: [Hook; 1] = [Hook {
    function: "wp_page_reuse",
    parameters: &["vmf"],
    ..HOOKS[0]
}];

#[test]
fn what_is_inlined_or_in_lib_cannot_be_traced_though_btf_lists_it() {
    for (kernel, function) in [("6.1", "wp_page_reuse"), ("6.12", "iov_iter_extract_pages")] {
        let facts = &load(kernel).kernel.functions[function];
        assert_eq!(
            (facts.in_kallsyms, facts.traceable),
            (Some(true), Some(false)),
            "{function}"
        );
        assert!(facts.prototype.is_some(), "{function}");
    }
    let [line] = &plan(&REUSE, &load("6.1").kernel)[..] else {
        panic!("one hook, one line")
    };
    let PlanChoice::Missing(why) = &line.choice else {
        panic!("{:?}", line.choice)
    };
    assert!(why.contains("ftrace cannot trace it"), "{why}");
}

#[test]
fn a_tracepoint_needs_nothing_of_ftraces_list() {
    for (name, capture) in all() {
        let ways = tried(&capture, "sched_process_exit", Purpose::Exit);
        assert_eq!(ways, [[Method::Tracepoint]], "{name}");
    }
}

/// A trial decides, and so far it has decided as planned on every kernel on file.
#[test]
fn each_hook_was_attached_in_a_way_that_was_planned() {
    for (name, capture) in all() {
        let lines = plan(HOOKS, &capture.kernel);
        assert_eq!(lines.len(), capture.hooks.len(), "{name}");
        let attached = |function: &str| {
            let mut hooks = capture.hooks.iter().filter(|tried| tried.function == function);
            hooks.any(|tried| !["absent", "missing", "not_needed"].contains(&tried.how.as_str()))
        };
        for (line, tried) in lines.iter().zip(&capture.hooks) {
            assert_eq!(line.hook.function, tried.function, "{name}");
            let way = tried.how.trim_end_matches(" x2");
            match &line.choice {
                PlanChoice::NotHere => assert_eq!(tried.how, "absent", "{name}: {tried:?}"),
                PlanChoice::NotNeeded => assert_eq!(tried.how, "not_needed", "{name}: {tried:?}"),
                PlanChoice::Try(_) if line.hook.stands_in_for.is_some_and(attached) => {
                    assert_eq!(tried.how, "not_needed", "{name}: {tried:?}");
                }
                PlanChoice::Try(candidates) => {
                    let planned = candidates.iter().map(|candidate| {
                        let methods = methods(candidate).into_iter().map(Method::as_str);
                        methods.collect::<Vec<_>>().join("+")
                    });
                    let place = planned
                        .collect::<Vec<_>>()
                        .iter()
                        .position(|planned| planned == way);
                    assert_eq!(place, Some(tried.refused.len()), "{name}: {tried:?}");
                }
                PlanChoice::Missing(_) => assert_eq!(tried.how, "missing", "{name}: {tried:?}"),
            }
        }
    }
}

/// Room to spare: the verifier gives up at a million.
#[test]
fn no_program_is_hard_to_verify() {
    for (name, capture) in all() {
        assert_eq!(capture.verified.is_empty(), series(&name) < (5, 16), "{name}");
        for (program, instructions) in capture.verified {
            assert!(instructions < 25_000, "{name}: {program}: {instructions}");
        }
    }
}
