//! What serves each purpose, in order of preference, with the prototype that each hook relies on
//! and what is lost without it. The one place that names kernel functions to attach to.

/// Why something is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Sees pages being pinned.
    Acquire,
    /// Tells the kernel's own retries apart from releases.
    Retry,
    /// Sees pages being unpinned.
    Release,
    /// Sees processes end.
    Exit,
}

impl Purpose {
    /// The name in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Retry => "retry",
            Self::Release => "release",
            Self::Exit => "exit",
        }
    }
}

/// How a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A trampoline on entry.
    Fentry,
    /// A trampoline on return.
    Fexit,
    /// A breakpoint or ftrace call on entry.
    Kprobe,
    /// A hijacked return address.
    Kretprobe,
    /// A raw tracepoint.
    Tracepoint,
}

impl Method {
    /// The name in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Fexit => "fexit",
            Self::Kprobe => "kprobe",
            Self::Kretprobe => "kretprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

/// One program to attach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Name of the program in the eBPF object.
    pub program: &'static str,
    /// Programs that are attached to the same place where threads may be taken off their CPU inside it, in the
    /// order in which they run: its second copy, which counts what the kernel skips in the first; for pins,
    /// one that takes the stack.
    pub followers: &'static [&'static str],
    /// How.
    pub method: Method,
}

/// One way to serve a hook: all of these programs together.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Attached in this order.
    pub attachments: &'static [Attachment],
    /// What this way cannot do that the first one can; empty for the first.
    pub lost: &'static str,
}

/// One kernel function (or tracepoint) and what to do with it.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Kernel function, or tracepoint name.
    pub function: &'static str,
    /// Why.
    pub purposes: &'static [Purpose],
    /// Names of the first parameters, as the program reads them; [`ANY`] where it reads nothing. Empty for
    /// tracepoints.
    pub parameters: &'static [&'static str],
    /// Ways to do it, best first.
    pub candidates: &'static [Candidate],
    /// Only needed if this other hook, further up in the table, is there and could not be attached.
    pub stands_in_for: Option<&'static str>,
    /// What is lost when the function exists and no way works.
    pub lost: &'static str,
}

/// A parameter that no program reads, whatever its name.
pub const ANY: &str = "_";

/// A program that has a second copy, and perhaps other followers.
macro_rules! twice {
    ($program:expr, $method:ident $(, $follower:expr)?) => {
        Attachment {
            program: $program,
            followers: &[concat!($program, "_again") $(, $follower)?],
            method: Method::$method,
        }
    };
}

/// A program that has no followers.
const fn once(program: &'static str, method: Method) -> Attachment {
    Attachment {
        program,
        followers: &[],
        method,
    }
}

macro_rules! pin {
    ($function:literal, $parameters:expr, $lost:literal $(, $second:expr)?) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Acquire],
            parameters: $parameters,
            candidates: &[
                Candidate {
                    attachments: &[twice!(concat!("return_", $function), Fexit, concat!("stack_", $function))],
                    lost: "",
                },
                $($second,)?
            ],
            stands_in_for: None,
            lost: $lost,
        }
    };
}

/// Marks long-term calls at the entry of a pin function; its return takes the mark away.
macro_rules! entry {
    ($function:literal, $parameters:expr) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Retry],
            parameters: $parameters,
            candidates: &[Candidate {
                attachments: &[twice!(concat!("enter_", $function), Fentry)],
                lost: "",
            }],
            stands_in_for: Some(LONGTERM),
            lost: "retries of its long-term calls look like releases of older pins",
        }
    };
}

macro_rules! unpin {
    ($function:literal, $parameters:expr, $lost:literal) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Release],
            parameters: $parameters,
            candidates: &[Candidate {
                attachments: &[twice!($function, Fentry)],
                lost: "",
            }],
            stands_in_for: None,
            lost: $lost,
        }
    };
}

/// Counts what a pin call drops again.
macro_rules! dropped {
    ($function:literal, $parameters:expr) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Retry],
            parameters: $parameters,
            candidates: &[Candidate {
                attachments: &[twice!($function, Fentry)],
                lost: "",
            }],
            stands_in_for: None,
            lost: "how many pages were pinned and dropped again inside a pin call (internal stays 0)",
        }
    };
}

const PLAIN: &[&str] = &["start", "nr_pages", "gup_flags", "pages"];
const REMOTE: &[&str] = &["mm", "start", "nr_pages", "gup_flags", "pages"];
const UNLOCKED: &[&str] = &["start", "nr_pages", "pages", "gup_flags"];

/// Where long-term calls pin, look, drop, migrate and pin again (mm/gup.c).
pub const LONGTERM: &str = "__gup_longterm_locked";

/// Every hook. The exported pin functions (mm/gup.c) never call one another, and the exported unpin
/// functions together see every release once; so all that exist are needed, and nothing else is.
pub const HOOKS: &[Hook] = &[
    pin!(
        "pin_user_pages",
        PLAIN,
        "pins by io_uring before 6.12, AF_XDP and some drivers"
    ),
    pin!(
        "pin_user_pages_fast",
        PLAIN,
        "pins by direct I/O, io_uring, RDMA and most drivers"
    ),
    pin!("pin_user_pages_fast_only", PLAIN, "pins by i915 user pointers"),
    pin!(
        "pin_user_pages_remote",
        REMOTE,
        "pins by VFIO, iommufd and process_vm_readv",
        Candidate {
            attachments: &[
                once("probe_return_pin_user_pages_remote", Method::Kretprobe),
                once("probe_pin_user_pages_remote", Method::Kprobe),
            ],
            lost: "more time a call; returns can be missed under load (counted as probe_missed)",
        }
    ),
    pin!("pin_user_pages_unlocked", UNLOCKED, "pins by a few drivers"),
    pin!("pin_user_pages_locked", PLAIN, "pins by a few drivers"),
    Hook {
        function: "memfd_pin_folios",
        purposes: &[Purpose::Acquire, Purpose::Retry],
        parameters: &["memfd", "start", "end", "folios", "max_folios", "offset"],
        candidates: &[Candidate {
            // The return first: between the two, a mark on entry without its removal would stay.
            attachments: &[
                twice!("return_memfd_pin_folios", Fexit, "stack_memfd_pin_folios"),
                twice!("enter_memfd_pin_folios", Fentry),
            ],
            lost: "",
        }],
        stands_in_for: None,
        lost: "pins by udmabuf and iommufd over memfds",
    },
    Hook {
        function: LONGTERM,
        purposes: &[Purpose::Retry],
        parameters: &["mm", "start", "nr_pages", "pages", ANY, "gup_flags"],
        candidates: &[Candidate {
            attachments: &[twice!("leave_longterm", Fexit), twice!("enter_longterm", Fentry)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "nothing: the entries of the pin functions stand in, at more cost a call",
    },
    entry!("pin_user_pages", PLAIN),
    entry!("pin_user_pages_fast", PLAIN),
    entry!("pin_user_pages_fast_only", PLAIN),
    entry!("pin_user_pages_remote", REMOTE),
    entry!("pin_user_pages_unlocked", UNLOCKED),
    entry!("pin_user_pages_locked", PLAIN),
    unpin!("unpin_user_page", &["page"], "releases page by page"),
    unpin!("unpin_user_pages", &["pages", "npages"], "most releases"),
    unpin!(
        "unpin_user_pages_dirty_lock",
        &["pages", "npages", "make_dirty"],
        "releases of written buffers"
    ),
    unpin!(
        "unpin_user_page_range_dirty_lock",
        &["page", "npages", "make_dirty"],
        "releases by RDMA, VFIO and iommufd"
    ),
    unpin!("unpin_folio", &["folio"], "releases by udmabuf"),
    unpin!(
        "unpin_folios",
        &["folios", "nfolios"],
        "releases by udmabuf and iommufd"
    ),
    unpin!("unpin_user_folio", &["folio", "npages"], "releases by direct I/O"),
    dropped!("gup_put_folio", &["folio", "refs", "flags"]),
    // What it was called before there were folios.
    dropped!("put_compound_head", &["page", "refs", "flags"]),
    Hook {
        function: "sched_process_exit",
        purposes: &[Purpose::Exit],
        parameters: &[],
        candidates: &[Candidate {
            attachments: &[twice!("process_exit", Tracepoint)],
            lost: "",
        }],
        stands_in_for: None,
        lost: "how and when processes end",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_program_stands_twice() {
        let attachments = HOOKS
            .iter()
            .flat_map(|hook| hook.candidates)
            .flat_map(|candidate| candidate.attachments);
        let mut programs: Vec<_> = attachments
            .flat_map(|attachment| attachment.followers.iter().copied().chain([attachment.program]))
            .collect();
        let all = programs.len();
        programs.sort_unstable();
        programs.dedup();
        assert_eq!(programs.len(), all);
    }

    #[test]
    fn a_function_serves_each_purpose_once() {
        let mut served: Vec<_> = HOOKS.iter().map(|hook| (hook.function, hook.purposes)).collect();
        let all = served.len();
        served.sort_unstable();
        served.dedup();
        assert_eq!(served.len(), all);
    }

    #[test]
    fn what_stands_in_comes_after_what_it_stands_in_for() {
        for (index, hook) in HOOKS.iter().enumerate() {
            let Some(other) = hook.stands_in_for else { continue };
            let first = HOOKS.iter().position(|hook| hook.function == other).unwrap();
            assert!(first < index, "{}", hook.function);
        }
    }

    #[test]
    fn every_way_but_the_first_says_what_it_costs() {
        for hook in HOOKS {
            assert!(!hook.lost.is_empty(), "{}", hook.function);
            for (index, candidate) in hook.candidates.iter().enumerate() {
                assert_eq!(index == 0, candidate.lost.is_empty(), "{}", hook.function);
            }
        }
    }
}
