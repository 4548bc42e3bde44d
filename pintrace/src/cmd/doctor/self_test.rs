//! The self-test: pins and releases a page of this process ([`own_page`]), and checks that the hooks see both.

use serde::Serialize;

use crate::pipeline::trace_session::TraceSession;
use pintrace_events::Event;
use pintrace_kernel::own_page;
use pintrace_model::Model;

/// The result of the self-test.
#[derive(Debug, Default, Serialize)]
pub(super) struct SelfTest {
    /// The hooks saw one page pinned and released, and the vmstat counters agree.
    pub(super) passed: bool,
    /// Pages of this process that the hooks saw pinned.
    pub(super) pinned: u64,
    /// Pages of this process that the hooks saw released.
    pub(super) released: u64,
    /// Pages that the vmstat counters hold and the hooks did not see; absent if the counters cannot be read.
    pub(super) unaccounted: Option<i64>,
    /// The result as a sentence.
    pub(super) text: String,
}

/// Pins and releases one page, and compares the hooks' figures with vmstat.
pub(super) fn run(session: &mut TraceSession, first: &[Event]) -> SelfTest {
    let mut model = Model::default();
    for event in first {
        model.apply(event);
    }
    if let Err(error) = own_page::pin() {
        return SelfTest {
            text: format!("no page was pinned: process_vm_readv: {error}"),
            ..SelfTest::default()
        };
    }
    match session.tick() {
        Ok(events) => {
            for event in &events {
                model.apply(event);
            }
        }
        Err(error) => {
            return SelfTest {
                text: format!("the hooks' figures cannot be read: {error}"),
                ..SelfTest::default()
            };
        }
    }
    let snapshot = model.snapshot();
    let own = std::process::id();
    let seen = snapshot.processes.iter().find(|process| process.pid.0 == own);
    let (pinned, released) = seen.map_or((0, 0), |process| (process.acquired, process.released));
    let balance = &snapshot.balance;
    let unaccounted = balance.vmstat_readable.then_some(balance.unaccounted);
    let agree = match unaccounted {
        Some(0) => "the vmstat counters agree",
        Some(_) => "the vmstat counters do not agree",
        None => "the vmstat counters cannot be read",
    };
    SelfTest {
        passed: pinned == 1 && released == 1 && unaccounted.is_none_or(|unaccounted| unaccounted == 0),
        pinned,
        released,
        unaccounted,
        text: format!(
            "pinned and released 1 page; the hooks saw {pinned} pinned, {released} released; {agree}"
        ),
    }
}
