//! The pictures: the keys that lead to each, and a text by which the screen is recognized.

/// A picture.
pub(super) struct Scene {
    /// The file name without colours.
    pub(super) name: &'static str,
    pub(super) steps: &'static [Step],
}

/// Keys, and the screen after them.
pub(super) struct Step {
    pub(super) keys: &'static str,
    /// A text on the screen after the keys, or several with `|` between them: the times of the samples differ a little from
    /// recording to recording.
    pub(super) until: &'static str,
    /// The screen belongs to the picture.
    pub(super) is_frame: bool,
}

/// The pictures.
pub(super) const SCENES: &[Scene] = &[
    scene("processes", &[go(AT_34, "REPLAY 34"), show("", "db-cache")]),
    scene("cgroups", &[go(AT_34, "REPLAY 34"), show("2", "docker")]),
    scene("holders", &[go(AT_34, "REPLAY 34"), show("3", "HOLDER")]),
    scene("pins", &[go(AT_34, "REPLAY 34"), show("4", "ADDRESS")]),
    scene("call-sites", &[go(AT_34, "REPLAY 34"), show("5", "CALLER")]),
    scene("findings", &[go(AT_34, "REPLAY 34"), show("6", "LEVEL")]),
    scene("flush-windows", &[go(AT_34, "REPLAY 34"), show("7", "REPLAY 34")]),
    // The registration of one process is in flight.
    scene(
        "pin-calls",
        &[go(":at 30s\r", "pinning for"), show("8", "in flight")],
    ),
    scene("system", &[go(AT_34, "REPLAY 34"), show("9", "REPLAY 34")]),
    scene(
        "changes",
        &[
            go(":at 10s\r", "REPLAY 9.|REPLAY 10s"),
            go("B", "Baseline"),
            go(AT_34, "REPLAY 34"),
            show("0", "REPLAY 34"),
        ],
    ),
    scene("palette", &[go(AT_34, "REPLAY 34"), show(":sort ", "sort")]),
    scene("filter", &[go(AT_34, "REPLAY 34"), show("/bytes > 1Gb", "^")]),
    scene(
        "finding",
        &[go(AT_34, "REPLAY 34"), go("6", "LEVEL"), show("\r", "REPLAY 34")],
    ),
    scene("past", &[show(":at -40s\r", "REPLAY 20s|REPLAY 19s")]),
    scene(
        "replay",
        &[
            show("", "ms of"),
            show(":at 7s\r", "REPLAY 7.|REPLAY 6."),
            show(":at 14s\r", "REPLAY 14s|REPLAY 13s"),
            show(":at 21s\r", "REPLAY 21s|REPLAY 20s"),
            show(":at 28s\r", "REPLAY 28s|REPLAY 27s"),
            show(":at 35s\r", "REPLAY 35s|REPLAY 34s"),
        ],
    ),
];

/// Goes to a moment at which all workloads run.
const AT_34: &str = ":at 34500ms\r";

const fn scene(name: &'static str, steps: &'static [Step]) -> Scene {
    Scene { name, steps }
}

const fn go(keys: &'static str, until: &'static str) -> Step {
    Step {
        keys,
        until,
        is_frame: false,
    }
}

const fn show(keys: &'static str, until: &'static str) -> Step {
    Step {
        keys,
        until,
        is_frame: true,
    }
}
