//! Tests of the plan on each kernel of `tests/kernels` (captured in guests by `cargo xtask facts`): claims about single
//! kernels, and the text generated from the fixtures.

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
use pintrace_kernel::table_layout::{BufferTable, PinnedFolios, TableLayouts, UdmabufLayout};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels")
}

fn load(name: &str) -> Capture {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{name}.json: {error}; `cargo xtask facts` captures it again"))
}

/// Returns every fixture with its name, oldest kernel first.
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

/// Returns the numbers of `6.12` or `7.3-rt`.
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

/// Returns the methods of each candidate that is tried, in order.
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
fn fixtures_have_exactly_the_facts_that_the_code_reads() {
    for (name, capture) in all() {
        let anew = "`cargo xtask facts` captures it again";
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

/// Skipped on a kernel without BTF.
#[test]
fn a_capture_gives_the_layout_of_its_kernel() {
    let roots = Roots::default();
    if !roots.btf.exists() {
        println!("skipped: this kernel has no BTF");
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
fn functions_with_seven_arguments_fall_back_on_kprobes() {
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

/// Debian has dropped the modules of 6.19, 7.0 and 7.1.
#[test]
fn functions_of_modules_that_register_memory_are_hooked_by_kprobes() {
    for (name, capture) in all() {
        let series = series(&name);
        let has_modules = !((6, 19)..=(7, 1)).contains(&series);
        for (function, there) in [
            ("ib_umem_get", has_modules && series < (7, 2)),
            ("__ib_umem_get_va", has_modules && series >= (7, 2)),
            ("vfio_iommu_type1_ioctl", has_modules),
        ] {
            let ways = tried(&capture, function, Purpose::Register);
            let kprobes = vec![Method::Kretprobe, Method::Kprobe];
            let expected: &[_] = if there { &[kprobes] } else { &[] };
            assert_eq!(ways, expected, "{name}: {function}");
        }
    }
}

/// The pin functions call `__gup_longterm_locked`: a count at its return too would count pins twice.
#[test]
fn only_the_outermost_functions_count_pins() {
    for hook in HOOKS
        .iter()
        .filter(|hook| hook.purposes.contains(&Purpose::Acquire))
    {
        // The exported pin functions, and the functions that add a pin to a pinned folio, never call one another.
        let outermost = hook.function.starts_with("pin_user_pages")
            || ["memfd_pin_folios", "folio_add_pin", "folio_add_pins"].contains(&hook.function);
        assert!(outermost, "{}", hook.function);
    }
}

#[test]
fn pin_functions_with_a_trailing_vmas_parameter_are_hooked() {
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
fn foll_longterm_is_the_enumerator_or_else_the_macro() {
    for (name, capture) in all() {
        let Ok(facts) = capture.layout() else { continue };
        let enumerator = capture.types.enumerators["FOLL_LONGTERM"];
        let old = series(&name) <= (6, 1);
        assert_eq!(enumerator, (!old).then_some(0x100), "{name}");
        assert_eq!(facts.foll_longterm, if old { 0x10000 } else { 0x100 }, "{name}");
    }
}

#[test]
fn tails_encode_their_head_as_a_mask_since_compound_info() {
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
fn put_compound_head_is_hooked_before_folios_and_gup_put_folio_since() {
    for (name, capture) in all() {
        let old = series(&name) < (5, 16);
        for (function, there) in [("gup_put_folio", !old), ("put_compound_head", old)] {
            let choice = line(&capture, function, Purpose::Retry).choice;
            assert_eq!(matches!(choice, PlanChoice::Try(_)), there, "{name}: {function}");
        }
    }
}

/// In 5.10 the number of pages of a compound page is `compound_nr` in the struct page after the head.
#[test]
fn the_number_of_pages_is_in_the_second_struct_page_before_folios() {
    let capture = load("5.10");
    let facts = capture.layout().unwrap();
    assert_eq!(capture.types.offsets["folio._pincount"], None);
    assert_eq!(
        facts.folio_nr_pages,
        64 + capture.types.offsets["page.compound_nr"].unwrap()
    );
}

/// Facts for the scan: the form of free blocks, the offsets from a page to the processes that map the page, AF_XDP.
#[test]
fn every_kernel_has_the_facts_for_the_scan() {
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
        assert!(layout.rmap.is_some(), "{name}");
        assert_eq!(layout.vma_list.is_some(), series < (6, 1), "{name}");
        check_tables(&name, series, &layout.tables);
    }
}

/// Checks that the tables of open files are known, each in the form of the kernel's series.
fn check_tables(name: &str, series: (u32, u32), tables: &TableLayouts) {
    assert!(tables.umem.is_some(), "{name}");
    let io_uring = tables.io_uring.unwrap();
    let nodes = matches!(io_uring.buffers, BufferTable::Nodes { .. });
    assert_eq!(nodes, series >= (6, 13), "{name}");
    assert_eq!(io_uring.buffer_rings.is_some(), series >= (5, 19), "{name}");
    assert_eq!(tables.registered_rings.is_some(), series >= (5, 18), "{name}");
    // Debian's 6.1 has the memory of a ring in user space, which Linux has since 6.5.
    assert_eq!(io_uring.ring_memory[0].is_some(), series >= (6, 1), "{name}");
    let array = |udmabuf: &UdmabufLayout| matches!(udmabuf.folios, PinnedFolios::Array { .. });
    let expected = (series >= (6, 12)).then_some(series >= (6, 13));
    assert_eq!(tables.udmabuf.as_ref().map(array), expected, "{name}");
}

/// Programs without `bpf_loop` read the frame of a trampoline, so the programs have to know the number of arguments in
/// the frame (`Shape::parameters` in pintrace-ebpf/src/hooks/pin.rs).
#[test]
fn pin_functions_without_bpf_loop_have_the_parameters_that_the_programs_expect() {
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
fn functions_in_btf_that_are_inlined_or_in_lib_are_untraceable() {
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
fn tracepoints_are_planned_without_the_list_of_ftrace() {
    for (name, capture) in all() {
        let ways = tried(&capture, "sched_process_exit", Purpose::Exit);
        assert_eq!(ways, [[Method::Tracepoint]], "{name}");
    }
}

/// The captured outcome of each hook agrees with the plan on every kernel.
#[test]
fn each_hook_was_attached_with_a_planned_candidate() {
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

/// The verifier refuses a program once it has followed a million instructions (`BPF_COMPLEXITY_LIMIT_INSNS`). That of
/// 6.19 follows five times as many as that of 6.18.
#[test]
fn every_program_is_far_from_the_limit_of_the_verifier() {
    for (name, capture) in all() {
        assert_eq!(capture.verified.is_empty(), series(&name) < (5, 16), "{name}");
        for (program, instructions) in capture.verified {
            assert!(instructions < 150_000, "{name}: {program}: {instructions}");
        }
    }
}
