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
    /// Names of the first parameters, as the program reads them. Empty for tracepoints.
    pub parameters: &'static [&'static str],
    /// Ways to do it, best first.
    pub candidates: &'static [Candidate],
    /// What is lost when the function exists and no way works.
    pub lost: &'static str,
}

const fn program(program: &'static str, method: Method) -> Attachment {
    Attachment { program, method }
}

macro_rules! pin {
    ($function:literal, $parameters:expr, $enter:literal, $return:literal, $lost:literal $(, $second:expr)?) => {
        Hook {
            function: $function,
            purposes: &[Purpose::Acquire, Purpose::Retry],
            parameters: $parameters,
            candidates: &[
                Candidate {
                    // The return first: between the two, a mark on entry without its removal would stay.
                    attachments: &[program($return, Method::Fexit), program($enter, Method::Fentry)],
                    lost: "",
                },
                $($second,)?
            ],
            lost: $lost,
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
                attachments: &[program($function, Method::Fentry)],
                lost: "",
            }],
            lost: $lost,
        }
    };
}

/// Every hook. The exported pin functions (mm/gup.c) never call one another, and the exported unpin
/// functions together see every release once; so all that exist are needed, and nothing else is.
pub const HOOKS: &[Hook] = &[
    pin!(
        "pin_user_pages",
        &["start", "nr_pages", "gup_flags", "pages"],
        "enter_pin_user_pages",
        "return_pin_user_pages",
        "pins by io_uring before 6.12, AF_XDP and some drivers"
    ),
    pin!(
        "pin_user_pages_fast",
        &["start", "nr_pages", "gup_flags", "pages"],
        "enter_pin_user_pages_fast",
        "return_pin_user_pages_fast",
        "pins by direct I/O, io_uring, RDMA and most drivers"
    ),
    pin!(
        "pin_user_pages_fast_only",
        &["start", "nr_pages", "gup_flags", "pages"],
        "enter_pin_user_pages_fast_only",
        "return_pin_user_pages_fast_only",
        "pins by i915 user pointers"
    ),
    pin!(
        "pin_user_pages_remote",
        &["mm", "start", "nr_pages", "gup_flags", "pages"],
        "enter_pin_user_pages_remote",
        "return_pin_user_pages_remote",
        "pins by VFIO, iommufd and process_vm_readv",
        Candidate {
            attachments: &[
                program("probe_return_pin_user_pages_remote", Method::Kretprobe),
                program("probe_pin_user_pages_remote", Method::Kprobe),
            ],
            lost: "more time a call; returns can be missed under load (counted as probe_missed)",
        }
    ),
    pin!(
        "pin_user_pages_unlocked",
        &["start", "nr_pages", "pages", "gup_flags"],
        "enter_pin_user_pages_unlocked",
        "return_pin_user_pages_unlocked",
        "pins by a few drivers"
    ),
    pin!(
        "memfd_pin_folios",
        &["memfd", "start", "end", "folios", "max_folios", "offset"],
        "enter_memfd_pin_folios",
        "return_memfd_pin_folios",
        "pins by udmabuf and iommufd over memfds"
    ),
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
    Hook {
        function: "gup_put_folio",
        purposes: &[Purpose::Retry],
        parameters: &["folio", "refs", "flags"],
        candidates: &[Candidate {
            attachments: &[program("gup_put_folio", Method::Fentry)],
            lost: "",
        }],
        lost: "how many pages were pinned and dropped again inside a pin call (internal stays 0)",
    },
    Hook {
        function: "sched_process_exit",
        purposes: &[Purpose::Exit],
        parameters: &[],
        candidates: &[Candidate {
            attachments: &[program("process_exit", Method::Tracepoint)],
            lost: "",
        }],
        lost: "how and when processes end",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_and_no_program_stands_twice() {
        let mut functions: Vec<_> = HOOKS.iter().map(|hook| hook.function).collect();
        let mut programs: Vec<_> = HOOKS
            .iter()
            .flat_map(|hook| hook.candidates)
            .flat_map(|candidate| candidate.attachments)
            .map(|attachment| attachment.program)
            .collect();
        for list in [&mut functions, &mut programs] {
            let all = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), all);
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
