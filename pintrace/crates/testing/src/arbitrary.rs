//! Arbitrary events in any order, for property tests. Events have few different ids, so that several events share an
//! id, and any numbers and names.

mod findings;
mod pin_calls;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, StackId, Tid};
use pintrace_events::{
    AccountOpened, AccountSampled, BalanceSampled, Body, Event, Evidence, ExtentClosed, ExtentOpened,
    ExtentSampled, FileId, MissingHook, Probe, ProcessExited, ProcessSeen, ScanSampled, StackSeen, Started,
    Stopped, SymbolSeen,
};

/// Returns a strategy for streams.
pub fn stream() -> impl Strategy<Value = Vec<Event>> {
    vec(event(), 0..40)
}

/// Returns a strategy for streams in which the pins change more often.
pub fn long_stream() -> impl Strategy<Value = Vec<Event>> {
    let pins = (number(), pins()).prop_map(|(time, body)| Event {
        time: Nanos(time),
        body,
    });
    vec(prop_oneof![1 => event(), 3 => pins], 0..120)
}

/// Events that change the rows of a snapshot.
fn pins() -> impl Strategy<Value = Body> {
    prop_oneof![
        account_opened(),
        account_sampled(),
        pin_calls::sampled(),
        account().prop_map(Body::AccountClosed),
        extent_opened(),
        extent().prop_map(|extent| {
            Body::ExtentClosed(ExtentClosed {
                extent,
                ..ExtentClosed::default()
            })
        }),
        (extent(), number(), option::of(stack())).prop_map(|(extent, pages_held, stack)| {
            Body::ExtentSampled(ExtentSampled {
                extent,
                pages_held,
                stack,
                ..ExtentSampled::default()
            })
        }),
        pid().prop_map(|pid| {
            Body::ProcessExited(ProcessExited {
                pid,
                ..ProcessExited::default()
            })
        }),
        Just(Body::Tick),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    (number(), body()).prop_map(|(time, body)| Event {
        time: Nanos(time),
        body,
    })
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        started(),
        process_seen(),
        (pid(), 0..70_u32, any::<u32>(), any::<Option<u64>>()).prop_map(
            |(pid, signal, status, longterm_pages_held)| {
                Body::ProcessExited(ProcessExited {
                    pid,
                    signal,
                    status,
                    longterm_pages_held,
                })
            }
        ),
        pid().prop_map(Body::ProcessExeced),
        (0..3_u64).prop_map(|file| Body::FileReleased(FileId(file))),
        account_opened(),
        account_sampled(),
        account().prop_map(Body::AccountClosed),
        extent_opened(),
        (
            extent(),
            number(),
            number(),
            number(),
            number(),
            option::of(stack())
        )
            .prop_map(|(extent, end, pages, pages_held, bytes_held, stack)| {
                Body::ExtentSampled(ExtentSampled {
                    extent,
                    end,
                    pages,
                    pages_held,
                    bytes_held,
                    stack,
                })
            }),
        (extent(), number(), number(), pid()).prop_map(|(extent, pages, end, by)| Body::ExtentClosed(
            ExtentClosed {
                extent,
                pages,
                end,
                by
            }
        )),
        (stack(), vec(number(), 0..6))
            .prop_map(|(stack, frames)| Body::StackSeen(StackSeen { stack, frames })),
        (number(), name(), number(), name()).prop_map(|(address, symbol, offset, module)| {
            Body::SymbolSeen(SymbolSeen {
                address,
                symbol,
                offset,
                module,
            })
        }),
        balance_sampled(),
        btree_map(name(), number(), 0..4).prop_map(Body::LossSampled),
        pin_calls::sampled(),
        pin_calls::in_flight(),
        pin_calls::registration_failed(),
        (number(), number()).prop_map(|(pages, implausible)| {
            Body::ScanSampled(ScanSampled {
                pages,
                implausible,
                ..ScanSampled::default()
            })
        }),
        findings::body(),
        Just(Body::Tick),
        (name(), any::<Option<i32>>())
            .prop_map(|(reason, exit_code)| Body::Stopped(Stopped { reason, exit_code })),
    ]
}

fn started() -> impl Strategy<Value = Body> {
    let probe = (name(), name(), name()).prop_map(|(purpose, function, method)| Probe {
        purpose,
        function,
        method,
    });
    (
        name(),
        name(),
        number(),
        any::<u32>(),
        vec(probe, 0..3),
        vec(name(), 0..3),
    )
        .prop_map(|(kernel, mode, wall_ns, page_size, probes, command)| {
            Body::Started(Box::new(Started {
                tool: "0".into(),
                machine: "x86_64".into(),
                host: "h".into(),
                kernel,
                mode,
                without_trace: String::new(),
                without_findings: String::new(),
                wall_ns,
                page_size,
                probes,
                missing: vec![MissingHook {
                    function: "f".into(),
                    ..MissingHook::default()
                }],
                command,
                exclusive_pages: page_size % 2 == 0,
                findings_wait: page_size % 3 == 0,
            }))
        })
}

fn process_seen() -> impl Strategy<Value = Body> {
    (pid(), pid(), name(), name(), any::<Option<u32>>(), cgroup()).prop_map(
        |(pid, parent, comm, cmdline, uid, cgroup)| {
            Body::ProcessSeen(ProcessSeen {
                pid,
                parent,
                comm,
                cmdline,
                uid,
                cgroup,
            })
        },
    )
}

fn account_opened() -> impl Strategy<Value = Body> {
    (
        account(),
        pid(),
        0..4_u32,
        name(),
        number(),
        number(),
        any::<bool>(),
        (
            proptest::option::of(stack()),
            any::<bool>(),
            name(),
            proptest::option::of(evidence()),
            number(),
            any::<Option<u32>>(),
        ),
    )
        .prop_map(
            |(
                account,
                pid,
                tid,
                comm,
                mm,
                caller,
                longterm,
                (stack, from_scan, likely_subsystem, evidence, file, descriptor),
            )| {
                Body::AccountOpened(AccountOpened {
                    account,
                    pid,
                    tid: Tid(tid),
                    comm,
                    mm,
                    caller,
                    longterm,
                    cgroup: 0,
                    stack,
                    from_scan,
                    likely_subsystem,
                    evidence,
                    file: FileId(file),
                    descriptor,
                })
            },
        )
}

fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![Just(Evidence::KernelTable), Just(Evidence::PageTables)]
}

fn account_sampled() -> impl Strategy<Value = Body> {
    (
        account(),
        number(),
        number(),
        number(),
        number(),
        number(),
        number(),
        option::of(stack()),
        number(),
    )
        .prop_map(
            |(
                account,
                acquired,
                released,
                bytes_held,
                calls,
                held_since,
                not_exclusive,
                stack,
                unclear_releases,
            )| {
                let held_since = Nanos(held_since);
                let sample = AccountSampled {
                    account,
                    acquired,
                    released,
                    bytes_held,
                    huge_bytes_held: bytes_held / 2,
                    calls,
                    held_since,
                    not_exclusive,
                    stack,
                    unclear_releases,
                };
                Body::AccountSampled(sample)
            },
        )
}

fn extent_opened() -> impl Strategy<Value = Body> {
    let range = (number(), number(), number(), number());
    (
        extent(),
        account(),
        range,
        any::<u32>(),
        (proptest::option::of(stack()), proptest::option::of(any::<u32>())),
        (findings::mm(), findings::address_space()),
    )
        .prop_map(
            |(
                extent,
                account,
                (address, end, pages, bytes_held),
                flags,
                (stack, descriptor),
                (mm, address_space),
            )| {
                Body::ExtentOpened(ExtentOpened {
                    extent,
                    account,
                    address,
                    end,
                    pages,
                    bytes_held,
                    flags,
                    stack,
                    mm,
                    address_space,
                    file_offset: bytes_held,
                    file: FileId(bytes_held % 3),
                    descriptor,
                })
            },
        )
}

fn balance_sampled() -> impl Strategy<Value = Body> {
    let vmstat = (any::<Option<u64>>(), any::<Option<u64>>());
    let ledger = (number(), number(), number(), number());
    (vmstat, ledger, number(), number(), number()).prop_map(
        |((vmstat_acquired, vmstat_released), ledger, gup_retry, ambiguous_owner, in_flight)| {
            let (preexisting_held, ledger_acquired, ledger_released, preexisting_released) = ledger;
            Body::BalanceSampled(Box::new(BalanceSampled {
                vmstat_acquired,
                vmstat_released,
                preexisting_held,
                ledger_acquired,
                ledger_released,
                preexisting_released,
                lost_pin_released: in_flight,
                not_in_vmstat: ambiguous_owner,
                gup_retry,
                ambiguous_owner,
                preexisting_attributed: gup_retry,
                reconciled: i64::from_ne_bytes(in_flight.to_ne_bytes()),
                preexisting_reconciled: i64::from_ne_bytes(ambiguous_owner.to_ne_bytes()),
                reconciled_pages: in_flight,
                wanted_in_flight: gup_retry,
                in_flight,
            }))
        },
    )
}

/// Small numbers most of the time, so that values coincide, and any number else.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..8_u64, 2 => any::<u64>(), 1 => Just(u64::MAX)]
}

/// Paths of cgroups inside one another, and any text.
fn cgroup() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("/a".to_owned()),
        Just("/a/b".to_owned()),
        Just("/a/b/c".to_owned()),
        name(),
    ]
}

/// Symbols, the name of a loss counter, and any text.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("io_pin_pages".to_owned()),
        Just("bio_iov_iter_get_pages".to_owned()),
        Just("ring_full".to_owned()),
        Just(String::new()),
        "\\PC{0,8}",
        any::<String>(),
    ]
}

fn pid() -> impl Strategy<Value = Pid> {
    (0..4_u32).prop_map(Pid)
}

fn account() -> impl Strategy<Value = AccountId> {
    (0..5_u32).prop_map(AccountId)
}

fn extent() -> impl Strategy<Value = ExtentId> {
    (0..5_u32).prop_map(ExtentId)
}

fn stack() -> impl Strategy<Value = StackId> {
    (0..3_u32).prop_map(StackId)
}
