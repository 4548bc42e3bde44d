//! Another tracer attaches to the pin functions during a call: the kernel makes a new trampoline, and the call loses its return
//! programs.

use aya::Ebpf;
use aya::programs::Program;
use pintrace::pipeline::loader_btf;
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_probes::load::{self, Layouts};
use pintrace_probes::options::LoadOptions;
use pintrace_probes::table;
use serde_json::Value;

use crate::harness::{Checks, Pinload, Report, Started, kernel_at_least, number, skipped};
use crate::pin_calls::calls;
use crate::recording::Recording;

/// Functions by which io_uring registers buffers, each with a program that does nothing until a session opens its gate.
const FUNCTIONS: [(&str, &str); 2] = [
    ("pin_user_pages_fast", "enter_pin_user_pages_fast"),
    ("pin_user_pages", "enter_pin_user_pages"),
];
const PAGES: u64 = 600;

/// Attaches to the pin functions, as any tracer does. The drop detaches.
fn attach() -> Ebpf {
    let kernel = Kernel::read(&Roots::default(), table::functions()).unwrap();
    let layouts = Layouts::of(&kernel).unwrap();
    let btf = loader_btf::of(&kernel.types);
    let loaded = load::load(&kernel.facts, &layouts, &btf, &LoadOptions::default()).unwrap();
    let mut ebpf = loaded.ebpf;
    for (function, program) in FUNCTIONS {
        let Some(Program::FEntry(program)) = ebpf.program_mut(program) else {
            panic!("no program {program}");
        };
        program.load(function, &btf).unwrap();
        program.attach().unwrap();
    }
    ebpf
}

#[test]
fn a_call_whose_return_another_tracer_hides_is_counted_and_its_pages_are_found() {
    const NAME: &str = "a_call_whose_return_another_tracer_hides_is_counted_and_its_pages_are_found";
    let recording = Recording::of_ledger("second_tracer");
    let (mut pinload, line) =
        match Pinload::at_first(&format!("slow-registration --pages {PAGES}"), "registering") {
            Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
            Started::Unavailable(why) => return skipped(NAME, &why),
        };
    let pid = number(&line["pid"]);
    let in_flight = |report: &Report| {
        let calls = report.document["calls_in_flight"].as_array().unwrap();
        calls.iter().any(|call| call["pid"] == pid)
    };
    recording.once("the call in flight", in_flight);
    let tracer = attach();
    let mut checks = Checks::default();
    let during = recording.settled();
    checks.holds(
        in_flight(&during),
        "the call is in flight while the other tracer attaches",
    );
    checks.same(
        "loss meanwhile",
        number(&during.document["loss"]["return_unseen"]),
        0,
    );
    assert_eq!(pinload.line().unwrap()["event"], "registered");
    let after = recording.once("the pages of the call under its process", |report| {
        report.figure(pid, "pages_held") == PAGES && report.balance("unaccounted") == 0
    });
    checks.holds(!in_flight(&after), "the call is not in flight any more");
    let unseen = number(&after.document["loss"]["return_unseen"]);
    let returned = u64::from(calls(&after, pid, "io_uring") != Value::Null);
    checks.same(
        "returns that were seen or counted as unseen",
        unseen + returned,
        1,
    );
    // 7.3 runs the return programs of the call all the same.
    if !kernel_at_least(7, 0) {
        checks.same("loss", unseen, 1);
    }
    after.check_held(&mut checks);
    drop(tracer);
    checks.holds(pinload.end().success(), "pinload's end");
    let end = recording.finish();
    checks.same("pages held at the end", end.figure(pid, "pages_held"), 0);
    checks.same("unaccounted at the end", end.balance("unaccounted"), 0);
    checks.conclude();
}
