//! The rules, as data, and how a path is held against them.

/// The rules of one crate.
pub(crate) struct Rules {
    /// Its top-level modules; empty where they may all import one another.
    pub(crate) modules: &'static [Rule],
    /// Crates that no module may see.
    pub(crate) forbidden: &'static [&'static str],
}

/// The rules of one top-level module.
pub(crate) struct Rule {
    pub(crate) module: &'static str,
    /// Other top-level modules that it may import.
    may: &'static [&'static str],
    /// Paths outside of the crate that it may not import, nor anything below them.
    never: &'static [&'static str],
}

/// What talks to the kernel, the terminal or the network.
const MACHINERY: &[&str] = &[
    "aya",
    "aya_log",
    "crossterm",
    "futures_core",
    "http_body_util",
    "hyper",
    "hyper_util",
    "libc",
    "nix",
    "ratatui",
    "rustix",
    "tokio",
];
/// The same, and everything of std that does I/O or asks a clock.
const WORLD: &[&str] = &[
    "aya",
    "aya_log",
    "crossterm",
    "futures_core",
    "http_body_util",
    "hyper",
    "hyper_util",
    "libc",
    "nix",
    "ratatui",
    "rustix",
    "tokio",
    "zstd",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
];
const VIEWS: &[&str] = &["crossterm", "ratatui", "hyper"];
const KERNEL: &[&str] = &["aya", "aya_log"];

const LAYER_3: &[&str] = &[
    "event", "units", "exit", "record", "attach", "scan", "source", "enrich", "sink",
];

const fn rule(module: &'static str, may: &'static [&'static str], never: &'static [&'static str]) -> Rule {
    Rule { module, may, never }
}

/// DESIGN: a lower layer never imports a higher one, views never import each other.
pub(crate) const LIBRARY: Rules = Rules {
    modules: &[
        rule("units", &[], WORLD),
        rule("event", &["units"], WORLD),
        rule("exit", &[], MACHINERY),
        rule("model", &["event", "units"], WORLD),
        rule("record", &["event", "units"], MACHINERY),
        rule("attach", LAYER_3, VIEWS),
        rule("scan", LAYER_3, VIEWS),
        rule("source", LAYER_3, VIEWS),
        rule("enrich", LAYER_3, VIEWS),
        rule("sink", LAYER_3, VIEWS),
        rule(
            "pipeline",
            &[
                "event", "units", "exit", "model", "record", "attach", "scan", "source", "enrich", "sink",
            ],
            VIEWS,
        ),
        rule("tui", &["event", "units", "model"], KERNEL),
        rule("metrics", &["event", "units", "model"], KERNEL),
        rule("export", &["event", "units", "model"], MACHINERY),
        rule(
            "cmd",
            &[
                "event", "units", "exit", "model", "record", "attach", "scan", "source", "enrich", "sink",
                "pipeline", "tui", "metrics", "export", "config",
            ],
            &[],
        ),
        rule("config", &["exit", "units", "model"], MACHINERY),
        rule("cli", &["cmd", "exit", "config"], KERNEL),
        rule("main", &[], KERNEL),
    ],
    forbidden: &["aya_ebpf", "aya_log_ebpf"],
};

/// Programs run in the kernel.
pub(crate) const EBPF: Rules = Rules {
    modules: &[],
    forbidden: &["std", "alloc", "aya", "aya_log", "pintrace", "libc", "serde"],
};

/// Definitions that both sides compile.
pub(crate) const COMMON: Rules = Rules {
    modules: &[],
    forbidden: &[
        "std",
        "alloc",
        "aya",
        "aya_ebpf",
        "aya_log",
        "aya_log_ebpf",
        "pintrace",
        "libc",
        "serde",
    ],
};

/// The rules that a module's paths break.
pub(crate) fn broken(rules: &Rules, module: &[String], paths: &[Vec<String>]) -> Vec<String> {
    let own = module.first().map_or("", String::as_str);
    let rule = rules.modules.iter().find(|rule| rule.module == own);
    let mut broken = Vec::new();
    for path in paths {
        let shown = path.join("::");
        let below = |outer: &&&str| shown == **outer || shown.starts_with(&format!("{outer}::"));
        let never = rule.map_or(&[][..], |rule| rule.never);
        if let Some(outer) = rules.forbidden.iter().chain(never).find(below) {
            broken.push(format!("`{own}` may not see `{outer}`, but says `{shown}`"));
        }
        if let (Some(rule), Some(target)) = (rule, target(module, path))
            && target != own
            && rules.modules.iter().any(|other| other.module == target)
            && !rule.may.contains(&target)
        {
            broken.push(format!("`{own}` may not see `{target}`, but says `{shown}`"));
        }
    }
    broken
}

/// The top-level module that a path leads to, if it stays within the crate.
fn target<'a>(module: &[String], path: &'a [String]) -> Option<&'a str> {
    let rest = match path.first()?.as_str() {
        "crate" => &path[1..],
        "super" => {
            let ups = path.iter().take_while(|segment| *segment == "super").count();
            if ups < module.len() {
                return None;
            }
            &path[ups..]
        }
        _ => return None,
    };
    rest.first().map(String::as_str)
}
