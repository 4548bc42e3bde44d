//! Plans the hooks for one kernel from the facts about the kernel, without I/O.

use super::table::{ANY, Attachment, Candidate, Hook, Method, ONE_OF};
use pintrace_kernel::facts::{FunctionFacts, KernelFacts};

/// The plan for one hook.
#[derive(Clone, Debug)]
pub struct PlannedHook {
    /// The hook.
    pub hook: &'static Hook,
    /// Action.
    pub choice: PlanChoice,
}

/// The action for one hook.
#[derive(Clone, Debug)]
pub enum PlanChoice {
    /// The kernel has no such function, so nothing is lost.
    NotHere,
    /// Another hook sees the same events on this kernel.
    NotNeeded,
    /// Try these candidates in order.
    Try(Vec<&'static Candidate>),
    /// The function exists, and nothing can be attached to it, for this reason.
    Missing(String),
}

/// Number of arguments that x86-64 passes in registers. A kprobe reads no more. A trampoline takes no more up to about
/// 6.5; the planner still tries a trampoline for more arguments, since newer kernels accept them.
const KPROBE_ARGUMENTS: usize = 6;

/// Why a function in BTF may not be hooked ([`pintrace_kernel::ftrace`]).
const UNTRACEABLE: &str =
    "BTF lists the function, but ftrace cannot trace it: inlined, or built without ftrace";

const NO_KPROBES: &str = "this kernel has no kprobes";

/// Plans every hook. Functions of [`ONE_OF`] are missing if the kernel has no function of the entry.
pub fn plan(hooks: &'static [Hook], facts: &KernelFacts) -> Vec<PlannedHook> {
    let lines = hooks.iter().map(|hook| PlannedHook {
        hook,
        choice: choose(hook, facts),
    });
    let mut lines: Vec<PlannedHook> = lines.collect();
    for one_of in ONE_OF {
        let absent = |name: &str| {
            let mut of_name = lines.iter().filter(|line| line.hook.function == name);
            of_name.all(|line| matches!(line.choice, PlanChoice::NotHere))
        };
        if one_of.given.is_some_and(absent) || !one_of.any.iter().all(|name| absent(name)) {
            continue;
        }
        let why = format!("this kernel has no function named {}", one_of.any.join(" or "));
        if let Some(line) = lines.iter_mut().find(|line| line.hook.function == one_of.any[0]) {
            line.choice = PlanChoice::Missing(why);
        }
    }
    lines
}

fn choose(hook: &'static Hook, facts: &KernelFacts) -> PlanChoice {
    if hook.parameters.is_empty() {
        return PlanChoice::Try(hook.candidates.iter().collect());
    }
    let function = facts.functions.get(hook.function).cloned().unwrap_or_default();
    let FunctionFacts {
        in_kallsyms,
        in_module,
        traceable,
        prototype,
    } = function;
    if in_module && hook.is_for_modules() {
        return in_a_module(hook, facts);
    }
    let Some(prototype) = prototype else {
        return match in_kallsyms {
            Some(true) => {
                PlanChoice::Missing("BTF does not list the function, so the prototype is unknown".to_owned())
            }
            _ => PlanChoice::NotHere,
        };
    };
    if in_kallsyms == Some(false) {
        return PlanChoice::NotHere;
    }
    let fits = |wanted: &[&str]| {
        prototype.parameters.len() >= wanted.len()
            && prototype
                .parameters
                .iter()
                .zip(wanted)
                .all(|(have, want)| *want == ANY || have == want)
    };
    if !fits(hook.parameters) && !hook.or.iter().any(|wanted| fits(wanted)) {
        if hook.optional {
            return PlanChoice::NotNeeded;
        }
        let have = prototype.parameters.join(", ");
        return PlanChoice::Missing(format!("pintrace does not support the prototype ({have})"));
    }
    let refusal = |attachment: &Attachment| match attachment.method {
        Method::Tracepoint => None,
        // Also for kprobes: without the debugging option CONFIG_KPROBE_EVENTS_ON_NOTRACE, the kernel refuses kprobes
        // on such functions (`within_notrace_func`, kernel/trace/trace_kprobe.c).
        _ if traceable == Some(false) => Some(UNTRACEABLE),
        Method::Fentry | Method::Fexit => None,
        Method::Kprobe | Method::Kretprobe if facts.kprobes == Some(false) => Some(NO_KPROBES),
        Method::Kprobe | Method::Kretprobe => (hook.parameters.len() > KPROBE_ARGUMENTS)
            .then_some("a kprobe cannot read more than six arguments"),
    };
    let (mut usable, mut refused) = (Vec::new(), None);
    for candidate in hook.candidates {
        match candidate.attachments.iter().find_map(refusal) {
            Some(why) => refused = Some(why),
            None => usable.push(candidate),
        }
    }
    match refused {
        Some(why) if usable.is_empty() => PlanChoice::Missing(why.to_owned()),
        _ => PlanChoice::Try(usable),
    }
}

/// Returns the choice for a function of a module. The attempt decides whether a kprobe reaches the function.
fn in_a_module(hook: &'static Hook, facts: &KernelFacts) -> PlanChoice {
    if facts.kprobes == Some(false) {
        return PlanChoice::Missing(NO_KPROBES.to_owned());
    }
    PlanChoice::Try(hook.candidates.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::table::HOOKS;
    use super::*;
    use pintrace_kernel::btf::Prototype;

    fn kernel(functions: &[(&str, &[&str])]) -> KernelFacts {
        let functions = functions
            .iter()
            .map(|(name, parameters)| {
                let prototype = Prototype {
                    parameters: parameters.iter().map(|&name| name.to_owned()).collect(),
                    result_bytes: 8,
                };
                let facts = FunctionFacts {
                    in_kallsyms: Some(true),
                    in_module: false,
                    traceable: Some(true),
                    prototype: Some(prototype),
                };
                ((*name).to_owned(), facts)
            })
            .collect();
        KernelFacts {
            functions,
            kprobes: Some(true),
            ..KernelFacts::default()
        }
    }

    fn choice(facts: &KernelFacts, function: &str) -> PlanChoice {
        plan(HOOKS, facts)
            .into_iter()
            .find(|line| line.hook.function == function)
            .unwrap()
            .choice
    }

    #[test]
    fn a_function_that_does_not_exist_is_no_loss() {
        assert!(matches!(choice(&kernel(&[]), "unpin_folio"), PlanChoice::NotHere));
    }

    #[test]
    fn a_trailing_vmas_parameter_is_accepted() {
        let facts = kernel(&[(
            "pin_user_pages",
            &["start", "nr_pages", "gup_flags", "pages", "vmas"],
        )]);
        assert!(matches!(choice(&facts, "pin_user_pages"), PlanChoice::Try(_)));
    }

    #[test]
    fn another_argument_order_is_refused_with_the_prototype() {
        let facts = kernel(&[("pin_user_pages", &["start", "nr_pages", "pages", "gup_flags"])]);
        let PlanChoice::Missing(why) = choice(&facts, "pin_user_pages") else {
            panic!("accepted")
        };
        assert!(why.contains("start, nr_pages, pages, gup_flags"), "{why}");
    }

    #[test]
    fn seven_arguments_fall_back_on_kprobes_if_the_kernel_has_kprobes() {
        let remote: &[&str] = &["mm", "start", "nr_pages", "gup_flags", "pages", "vmas", "locked"];
        let mut facts = kernel(&[("pin_user_pages_remote", remote)]);
        let PlanChoice::Try(ways) = choice(&facts, "pin_user_pages_remote") else {
            panic!("missing")
        };
        assert_eq!(ways.len(), 2);
        facts.kprobes = Some(false);
        let PlanChoice::Try(ways) = choice(&facts, "pin_user_pages_remote") else {
            panic!("missing")
        };
        assert_eq!(ways.len(), 1);
    }

    #[test]
    fn a_function_without_btf_is_missing() {
        let mut facts = kernel(&[]);
        let function = FunctionFacts {
            in_kallsyms: Some(true),
            in_module: false,
            traceable: Some(true),
            prototype: None,
        };
        facts.functions.insert("pin_user_pages".to_owned(), function);
        assert!(matches!(choice(&facts, "pin_user_pages"), PlanChoice::Missing(_)));
    }

    #[test]
    fn a_function_of_a_module_is_hooked_by_kprobes_alone() {
        let mut facts = kernel(&[]);
        let function = FunctionFacts {
            in_kallsyms: Some(true),
            in_module: true,
            traceable: Some(false),
            prototype: None,
        };
        for name in ["ib_umem_get", "pin_user_pages"] {
            facts.functions.insert(name.to_owned(), function.clone());
        }
        assert!(matches!(choice(&facts, "ib_umem_get"), PlanChoice::Try(ways) if ways.len() == 1));
        // Its programs are trampolines.
        assert!(matches!(choice(&facts, "pin_user_pages"), PlanChoice::Missing(_)));
        assert!(matches!(choice(&facts, "__ib_umem_get_va"), PlanChoice::NotHere));
        facts.kprobes = Some(false);
        let PlanChoice::Missing(why) = choice(&facts, "ib_umem_get") else {
            panic!("tried")
        };
        assert_eq!(why, NO_KPROBES);
    }

    #[test]
    fn a_function_that_exists_under_no_name_is_missing() {
        let rmap: (&str, &[&str]) = ("page_add_new_anon_rmap", &["page", "vma", "address"]);
        assert!(matches!(
            choice(&kernel(&[rmap]), "folio_add_new_anon_rmap"),
            PlanChoice::NotHere
        ));
        let PlanChoice::Missing(why) = choice(&kernel(&[]), "folio_add_new_anon_rmap") else {
            panic!("no loss")
        };
        assert!(
            why.ends_with("named folio_add_new_anon_rmap or page_add_new_anon_rmap"),
            "{why}"
        );
        // A kernel without hugetlb needs no hook on functions of hugetlb.
        assert!(matches!(
            choice(&kernel(&[]), "copy_user_large_folio"),
            PlanChoice::NotHere
        ));
        let hugetlb: (&str, &[&str]) = ("hugetlb_fault", &["mm", "vma", "address", "flags"]);
        assert!(matches!(
            choice(&kernel(&[hugetlb]), "copy_user_large_folio"),
            PlanChoice::Missing(_)
        ));
    }

    #[test]
    fn untraceable_functions_are_not_tried() {
        let mut facts = kernel(&[("unpin_user_page", &["page"]), ("unpin_folio", &["folio"])]);
        let traceable = |facts: &mut KernelFacts, answer| {
            facts.functions.get_mut("unpin_folio").unwrap().traceable = answer;
        };
        traceable(&mut facts, Some(false));
        let PlanChoice::Missing(why) = choice(&facts, "unpin_folio") else {
            panic!("tried")
        };
        assert!(why.contains("ftrace cannot trace it"), "{why}");
        assert!(matches!(choice(&facts, "unpin_user_page"), PlanChoice::Try(_)));
        // If the list of ftrace cannot be read, the hook is tried.
        traceable(&mut facts, None);
        assert!(matches!(choice(&facts, "unpin_folio"), PlanChoice::Try(_)));
    }
}
