//! Tests of the model.

mod calls_in_flight;
mod detect;
mod extent_facts;
mod registrations;
mod snapshot_sharing;

use std::collections::BTreeSet;

use pintrace_common::counters::Loss;
use proptest::prelude::*;

use pintrace_events::units::{AccountId, Nanos, Pid, StackId, Tid};
use pintrace_events::{Body, PinCallsSampled};
use pintrace_record::{Reader, Writer};
use pintrace_testing::arbitrary;
use pintrace_testing::event_builder::{EventBuilder, IO_PIN_PAGES, PROCESS_VM_RW, SECOND, fio_and_others};

use super::Model;
use super::limits;
use super::snapshot::{Process, Snapshot};
use super::subsystem::Subsystem;
use super::views::difference::{self, Change};

fn fold(builder: &EventBuilder) -> Model {
    let mut model = Model::default();
    for event in &builder.events {
        model.apply(event);
    }
    model
}

fn snapshot(builder: &EventBuilder) -> Snapshot {
    fold(builder).snapshot()
}

fn process(snapshot: &Snapshot, pid: u32) -> &Process {
    snapshot
        .processes
        .iter()
        .rfind(|process| process.pid == Pid(pid))
        .unwrap()
}

#[test]
fn an_empty_stream_gives_zeroes_and_every_loss_counter() {
    let snapshot = Model::default().snapshot();
    assert_eq!(snapshot.loss.len(), Loss::COUNT);
    assert_eq!(snapshot.lost(), 0);
    assert!(snapshot.processes.is_empty() && !snapshot.balance.vmstat_readable);
}

#[test]
fn a_late_stack_names_the_subsystem() {
    let held = |stack: Option<StackId>| {
        let mut builder = fio_and_others();
        for event in &mut builder.events {
            match &mut event.body {
                Body::AccountOpened(opened) if opened.pid == Pid(812) => opened.caller = 0,
                Body::AccountSampled(sampled) => sampled.stack = stack,
                _ => {}
            }
        }
        process(&snapshot(&builder), 812).subsystems.clone()
    };
    assert_eq!(held(None)[&Subsystem::Other], 1024);
    assert_eq!(held(Some(StackId(1)))[&Subsystem::IoUring], 1024);
}

#[test]
fn held_pages_are_counted_by_process_thread_and_subsystem() {
    let snapshot = snapshot(&fio_and_others());
    let fio = process(&snapshot, 812);
    assert_eq!(
        (fio.pages_held, fio.bytes_held, fio.longterm_pages_held),
        (1024, 1024 * 4096, 1024)
    );
    assert_eq!((fio.extents, fio.acquired, fio.released), (1, 1024, 0));
    assert_eq!(fio.oldest(snapshot.time), Nanos(3 * SECOND));
    assert_eq!(fio.subsystems[&Subsystem::IoUring], 1024);
    assert_eq!(fio.threads.len(), 1);
    assert_eq!(fio.threads[0].pages_held, 1024);
    assert_eq!(snapshot.subsystem(Subsystem::IoUring).acquired, 1088);
    assert_eq!(snapshot.unapplied_events, 0);
}

#[test]
fn a_killed_process_keeps_what_it_held_at_its_end() {
    let snapshot = snapshot(&fio_and_others());
    let killed = snapshot
        .processes
        .iter()
        .find(|process| process.comm == "pinload")
        .unwrap();
    let ended = killed.ended.unwrap();
    assert_eq!((ended.signal, ended.pages_held), (9, 64));
    assert_eq!((killed.pages_held, killed.acquired, killed.released), (0, 64, 64));
}

#[test]
fn an_exit_before_the_first_sample_counts_the_open_extents() {
    let mut builder = EventBuilder::begin();
    builder
        .account(1, 5, 5, IO_PIN_PAGES, true)
        .extent(1, 1, 64, None)
        .exit(5, 9, 0);
    let snapshot = snapshot(&builder);
    assert_eq!(process(&snapshot, 5).ended.unwrap().pages_held, 64);
}

#[test]
fn a_reused_pid_is_another_process() {
    let snapshot = snapshot(&fio_and_others());
    let comms: Vec<_> = snapshot
        .processes
        .iter()
        .map(|process| (process.pid.0, &*process.comm))
        .collect();
    assert_eq!(comms, [(812, "fio"), (900, "pinload"), (900, "reader")]);
    assert_eq!(process(&snapshot, 900).acquired, 5_000);
}

#[test]
fn pins_outlive_their_process() {
    let mut builder = EventBuilder::begin();
    builder
        .process(7, "a")
        .account(1, 7, 7, IO_PIN_PAGES, true)
        .totals(1, 10, 0)
        .exit(7, 0, 0);
    builder
        .wait(SECOND)
        .process(7, "b")
        .account(2, 7, 7, IO_PIN_PAGES, true)
        .totals(2, 3, 0)
        .totals(1, 10, 4);
    let snapshot = snapshot(&builder);
    let held: Vec<_> = snapshot
        .processes
        .iter()
        .map(|process| process.pages_held)
        .collect();
    assert_eq!(held, [6, 3]);
}

#[test]
fn a_process_that_was_never_read_from_proc_has_the_name_of_its_main_thread() {
    let mut builder = EventBuilder::begin();
    builder.account(1, 7, 8, IO_PIN_PAGES, true);
    assert_eq!(process(&snapshot(&builder), 7).comm, "thread-8");
    builder
        .account(2, 7, 7, IO_PIN_PAGES, true)
        .account(3, 7, 9, IO_PIN_PAGES, true);
    assert_eq!(process(&snapshot(&builder), 7).comm, "thread-7");
}

#[test]
fn a_process_that_never_pinned_is_not_shown() {
    let mut builder = EventBuilder::begin();
    builder.process(7, "idle");
    assert!(snapshot(&builder).processes.is_empty());
}

#[test]
fn a_symbol_may_arrive_after_the_pins_that_need_it() {
    let mut builder = EventBuilder::begin();
    builder
        .account(1, 7, 7, PROCESS_VM_RW, false)
        .totals(1, 8, 8)
        .account_closed(1);
    assert!(
        process(&snapshot(&builder), 7)
            .subsystems
            .contains_key(&Subsystem::Other)
    );
    builder.symbol(PROCESS_VM_RW, "process_vm_rw", "");
    assert_eq!(
        process(&snapshot(&builder), 7).subsystems[&Subsystem::ProcessVm],
        0
    );
}

#[test]
fn the_stack_has_precedence_over_the_caller_for_the_subsystem() {
    let mut builder = EventBuilder::begin();
    builder
        .symbol(1, "io_pin_pages", "")
        .symbol(2, "process_vm_rw", "")
        .stack(1, &[9, 1]);
    builder
        .account(1, 7, 7, 2, true)
        .totals(1, 8, 0)
        .extent(1, 1, 8, Some(1));
    let snapshot = snapshot(&builder);
    let process = process(&snapshot, 7);
    assert_eq!(process.subsystems[&Subsystem::ProcessVm], 8);
    assert_eq!(process.open_extents[0].subsystem, Subsystem::IoUring);
    assert_eq!(&*process.open_extents[0].stack, ["0x9", "io_pin_pages+0x42"]);
}

#[test]
fn rates_are_those_of_the_last_full_tick() {
    let mut builder = EventBuilder::begin();
    builder
        .account(1, 7, 7, IO_PIN_PAGES, false)
        .wait(2 * SECOND)
        .totals(1, 100, 40)
        .tick();
    let busy = snapshot(&builder);
    let rates = |snapshot: &Snapshot| {
        let process = process(snapshot, 7);
        (process.acquired_per_second, process.released_per_second)
    };
    assert_eq!(rates(&busy), (50.0, 20.0));
    // Neither a sample between two ticks nor a tick without length changes a rate.
    builder.totals(1, 200, 40).tick();
    assert_eq!(rates(&snapshot(&builder)), (50.0, 20.0));
    builder.wait(SECOND).tick();
    assert_eq!(rates(&snapshot(&builder)), (100.0, 0.0));
    builder.wait(SECOND).tick();
    assert_eq!(rates(&snapshot(&builder)), (0.0, 0.0));
}

#[test]
fn short_term_pins_count_as_one_extent_of_the_accounts_age() {
    let mut builder = EventBuilder::begin();
    builder
        .account(1, 7, 7, IO_PIN_PAGES, false)
        .totals(1, 9, 1)
        .wait(SECOND)
        .tick();
    let snapshot = snapshot(&builder);
    let process = process(&snapshot, 7);
    assert_eq!(
        (
            process.extents,
            process.oldest(snapshot.time),
            process.longterm_pages_held
        ),
        (1, Nanos(SECOND), 0)
    );
}

#[test]
fn threads_keep_their_totals_after_their_exit() {
    let mut builder = EventBuilder::begin();
    builder
        .account(1, 7, 8, IO_PIN_PAGES, false)
        .totals(1, 9, 9)
        .account_closed(1);
    builder.account(2, 7, 9, IO_PIN_PAGES, false).totals(2, 5, 1);
    let snapshot = snapshot(&builder);
    let threads = &process(&snapshot, 7).threads;
    let flows: Vec<_> = threads
        .iter()
        .map(|t| (t.tid, t.acquired, t.released, t.pages_held))
        .collect();
    assert_eq!(flows, [(Tid(8), 9, 9, 0), (Tid(9), 5, 1, 4)]);
}

#[test]
fn forgotten_processes_stay_in_the_totals() {
    let mut model = fold(&fio_and_others());
    let before = model.snapshot();
    model.forget_ended(1);
    let after = model.snapshot();
    assert_eq!(after.processes.len(), before.processes.len() - 1);
    assert_eq!(after.subsystems, before.subsystems);
    assert!(
        !after.processes.iter().any(|process| process.comm == "pinload"),
        "the process that ended longest ago is forgotten first"
    );
}

#[test]
fn pin_calls_of_a_forgotten_process_stay_in_the_totals() {
    let mut builder = EventBuilder::begin();
    builder
        .process(7, "app")
        .account(1, 7, 7, IO_PIN_PAGES, true)
        .totals(1, 8, 8)
        .pin_calls(PinCallsSampled {
            account: AccountId(1),
            pinned: 8,
            ..PinCallsSampled::default()
        })
        .exit(7, 0, 0)
        .tick();
    let mut model = fold(&builder);
    let pinned = |model: &mut Model| -> u64 {
        let totals = model.snapshot().pin_call_totals;
        totals.values().map(|totals| totals.pinned).sum()
    };
    assert_eq!(pinned(&mut model), 8);
    model.forget_ended(0);
    let snapshot = model.snapshot();
    assert_eq!(
        (snapshot.processes.len(), snapshot.pin_calls.len()),
        (0, 0),
        "no row of a process"
    );
    assert_eq!(snapshot.subsystem(Subsystem::Other).acquired, 8);
    assert_eq!(pinned(&mut model), 8);
}

#[test]
fn a_full_table_forgets_ended_processes_and_keeps_their_pin_calls() {
    let mut builder = EventBuilder::begin();
    builder
        .account(1, 1, 1, IO_PIN_PAGES, true)
        .pin_calls(PinCallsSampled {
            account: AccountId(1),
            pinned: 8,
            ..PinCallsSampled::default()
        });
    for pid in (1..).take(limits::PROCESSES) {
        builder.process(pid, "app").exit(pid, 0, 0);
    }
    builder.process(u32::MAX, "new");
    let snapshot = snapshot(&builder);
    assert_eq!((snapshot.unapplied_events, snapshot.processes.len()), (0, 0));
    let pinned = snapshot.pin_call_totals.values().map(|totals| totals.pinned);
    assert_eq!(pinned.sum::<u64>(), 8);
}

/// Applies a process with 5 pages acquired to a model. The process ends if `ends`.
fn short_process(model: &mut Model, pid: u32, comm: &str, ends: bool) {
    let mut builder = EventBuilder::begin();
    builder.events.clear();
    builder
        .wait(model.snapshot().time.0)
        .process(pid, comm)
        .account(pid, pid, pid, IO_PIN_PAGES, false)
        .totals(pid, 5, 5)
        .tick();
    if ends {
        builder.exit(pid, 0, 0).account_closed(pid).tick();
    }
    builder.events.iter().for_each(|event| model.apply(event));
}

#[test]
fn a_process_with_the_pid_of_a_forgotten_process_is_new() {
    let mut model = fold(&EventBuilder::begin());
    short_process(&mut model, 7, "old", true);
    let baseline = model.snapshot();
    model.forget_ended(0);
    short_process(&mut model, 7, "new", false);
    let rows: Vec<_> = difference::of(&baseline, &model.snapshot())
        .iter()
        .map(|row| (row.process.comm.clone(), row.change, row.acquired))
        .collect();
    assert_eq!(
        rows,
        [
            ("old".to_owned(), Change::Gone, 0),
            ("new".to_owned(), Change::New, 5)
        ]
    );
}

/// The first process with the pid holds pages and stays, and the second one is forgotten.
#[test]
fn a_forgotten_process_gives_its_key_to_no_process_also_if_an_earlier_one_stays() {
    let mut builder = EventBuilder::begin();
    builder
        .account(1, 7, 7, IO_PIN_PAGES, true)
        .totals(1, 64, 0)
        .exit(7, 9, 0);
    let mut model = fold(&builder);
    let mut keys = BTreeSet::new();
    for round in 0..3 {
        short_process(&mut model, 7, "short", true);
        let snapshot = model.snapshot();
        let latest = process(&snapshot, 7);
        assert!(keys.insert(latest.earlier_processes), "round {round}: {keys:?}");
        model.forget_ended(0);
        assert_eq!(model.snapshot().processes.len(), 1);
    }
}

#[test]
fn an_ended_process_that_holds_pages_is_never_forgotten() {
    let mut builder = EventBuilder::begin();
    builder
        .account(1, 5, 5, IO_PIN_PAGES, true)
        .totals(1, 64, 0)
        .exit(5, 9, 0);
    let mut model = fold(&builder);
    model.forget_ended(0);
    assert_eq!(model.snapshot().processes.len(), 1);
}

#[test]
fn events_about_unknown_ids_are_counted() {
    let mut builder = EventBuilder::begin();
    builder
        .totals(1, 1, 0)
        .account_closed(1)
        .extent_closed(3, 1, 1)
        .exit(4, 0, 0);
    let snapshot = snapshot(&builder);
    assert_eq!(snapshot.unapplied_events, 4);
    assert_eq!(snapshot.lost(), 4);
}

#[test]
fn a_stopped_stream_has_its_end_event() {
    let snapshot = snapshot(&fio_and_others());
    assert!(snapshot.stopped);
    assert_eq!(snapshot.ending.unwrap().exit_code, Some(0));
    assert_eq!(snapshot.duration, Nanos(3 * SECOND));
}

proptest! {
    #[test]
    fn any_events_in_any_order_fold(events in arbitrary::stream()) {
        let mut model = Model::default();
        for (index, event) in events.iter().enumerate() {
            model.apply(event);
            if index % 16 == 0 {
                model.forget_ended(index % 3);
            }
            let snapshot = model.snapshot();
            prop_assert_eq!(&snapshot, &model.snapshot());
            for process in snapshot.processes.iter() {
                prop_assert!(process.acquired_per_second.is_finite());
            }
        }
    }

    #[test]
    fn live_and_replay_agree(events in arbitrary::stream()) {
        prop_assume!(!events.is_empty());
        let mut writer = Writer::new(Vec::new()).unwrap();
        let mut live = Model::default();
        for event in &events {
            writer.append(event).unwrap();
            live.apply(event);
        }
        let bytes = writer.finish().unwrap();
        let mut replay = Model::default();
        for event in Reader::new(&bytes[..]).unwrap() {
            replay.apply(&event.unwrap());
        }
        prop_assert_eq!(live.snapshot(), replay.snapshot());
    }
}
