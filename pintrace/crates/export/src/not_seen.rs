//! What a session does not see: one text for each reason, however many functions have it.

use pintrace_events::MissingHook;

use pintrace_model::text::printable;

/// Most functions that a text names.
const NAMED: usize = 3;

/// Returns the events that are not seen, and in parentheses why: one text for each reason, in the order of the hooks.
#[must_use]
pub fn not_seen(missing: &[MissingHook]) -> Vec<String> {
    let mut whys: Vec<&str> = Vec::new();
    for hook in missing {
        if !whys.contains(&hook.why.as_str()) {
            whys.push(&hook.why);
        }
    }
    let of_reason = |why: &&str| {
        let hooks: Vec<_> = missing.iter().filter(|hook| hook.why == *why).collect();
        text(&hooks)
    };
    whys.iter().map(of_reason).collect()
}

/// Returns the text of hooks that are missing for the same reason.
fn text(hooks: &[&MissingHook]) -> String {
    let mut lost: Vec<String> = Vec::new();
    for part in hooks.iter().flat_map(|hook| hook.lost.split("; ")) {
        let part = printable(part);
        if !lost.contains(&part) {
            lost.push(part);
        }
    }
    let functions = hooks.iter().map(|hook| hook.function.as_str());
    let functions: Vec<String> = functions.filter(|name| !name.is_empty()).map(printable).collect();
    let why = printable(hooks.first().map_or("", |hook| &hook.why));
    let reason = if functions.is_empty() {
        why
    } else {
        format!("{} could not be hooked: {why}", listed(&functions))
    };
    format!("{} ({reason})", lost.join("; "))
}

/// Returns the first names, and the number of the others.
fn listed(names: &[String]) -> String {
    if names.len() > NAMED {
        let (shown, others) = names.split_at(NAMED - 1);
        return format!("{} and {} other functions", shown.join(", "), others.len());
    }
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        names => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(function: &str, why: &str, lost: &str) -> MissingHook {
        MissingHook {
            function: function.to_owned(),
            why: why.to_owned(),
            lost: lost.to_owned(),
        }
    }

    #[test]
    fn hooks_with_one_reason_are_one_text() {
        let missing = [
            hook("do_wp_page", "no BTF", "copies; faults"),
            hook("mremap", "refused", "moves"),
            hook("hugetlb_fault", "no BTF", "copies"),
            hook("", "0 of 64 pages were seen", "pins by vmsplice"),
        ];
        assert_eq!(
            not_seen(&missing),
            [
                "copies; faults (do_wp_page and hugetlb_fault could not be hooked: no BTF)",
                "moves (mremap could not be hooked: refused)",
                "pins by vmsplice (0 of 64 pages were seen)",
            ]
        );
    }

    #[test]
    fn many_functions_are_counted() {
        let names: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
        assert_eq!(listed(&names[..3]), "a, b and c");
        assert_eq!(listed(&names), "a, b and 2 other functions");
    }
}
