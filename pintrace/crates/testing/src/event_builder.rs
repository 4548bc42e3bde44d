//! A builder of synthetic streams, with one short method for each event.

mod finding_fixtures;
mod pin_call_fixtures;

use std::collections::BTreeMap;

use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, StackId, Tid};
use pintrace_events::{
    AccountOpened, AccountSampled, BalanceSampled, Body, Event, ExtentClosed, ExtentOpened, PinCallsSampled,
    Probe, ProcessExited, ProcessSeen, StackSeen, Started, Stopped, SymbolSeen,
};

pub use finding_fixtures::finding_fixtures;
pub use pin_call_fixtures::{PINNING, pin_call_fixtures};

/// One second.
pub const SECOND: u64 = 1_000_000_000;
/// Return address of `io_pin_pages` in these streams.
pub const IO_PIN_PAGES: u64 = 0xffff_ffff_8110_0000;
/// Return address of `process_vm_rw` in these streams.
pub const PROCESS_VM_RW: u64 = 0xffff_ffff_8120_0000;

/// A stream that is being built. Each method adds an event at the current time.
#[derive(Clone, Debug, Default)]
pub struct EventBuilder {
    /// The events so far, in order.
    pub events: Vec<Event>,
    now: u64,
}

impl EventBuilder {
    /// Returns a stream that begins one second after boot on a 6.12 kernel.
    pub fn begin() -> Self {
        let mut builder = Self {
            events: Vec::new(),
            now: SECOND,
        };
        let probe = |purpose: &str, function: &str, method: &str| Probe {
            purpose: purpose.into(),
            function: function.into(),
            method: method.into(),
        };
        builder.emit(Body::Started(Box::new(Started {
            tool: "0.1.0".into(),
            kernel: "6.12.107+deb13-cloud-amd64".into(),
            machine: "x86_64".into(),
            host: "guest".into(),
            wall_ns: 1_764_000_000 * SECOND,
            page_size: 4096,
            mode: "trace".into(),
            without_trace: String::new(),
            without_findings: String::new(),
            findings_wait: false,
            probes: vec![
                probe("acquire", "pin_user_pages_fast", "fexit"),
                probe("acquire", "pin_user_pages_remote", "kretprobe"),
                probe("release", "unpin_user_pages", "fentry"),
            ],
            missing: Vec::new(),
            command: vec!["fio".into(), "job.fio".into()],
            exclusive_pages: false,
        })));
        builder
    }

    /// Adds an event at the current time.
    pub fn emit(&mut self, body: Body) -> &mut Self {
        self.events.push(Event {
            time: Nanos(self.now),
            body,
        });
        self
    }

    /// Advances the current time by `nanos`.
    pub fn wait(&mut self, nanos: u64) -> &mut Self {
        self.now += nanos;
        self
    }

    /// A process is seen for the first time.
    pub fn process(&mut self, pid: u32, comm: &str) -> &mut Self {
        self.emit(Body::ProcessSeen(ProcessSeen {
            pid: Pid(pid),
            parent: Pid(1),
            comm: comm.into(),
            cmdline: format!("{comm} --some option"),
            uid: Some(1000),
            cgroup: "/user.slice/session-1.scope".into(),
        }))
    }

    /// An account is opened.
    pub fn account(&mut self, account: u32, pid: u32, tid: u32, caller: u64, longterm: bool) -> &mut Self {
        self.emit(Body::AccountOpened(AccountOpened {
            account: AccountId(account),
            pid: Pid(pid),
            tid: Tid(tid),
            comm: format!("thread-{tid}"),
            mm: 0xffff_8880_0000_0000 + u64::from(pid) * 4096,
            caller,
            longterm,
            cgroup: 17,
            ..AccountOpened::default()
        }))
    }

    /// The totals of an account are sampled, in pages.
    pub fn totals(&mut self, account: u32, acquired: u64, released: u64) -> &mut Self {
        self.emit(Body::AccountSampled(AccountSampled {
            account: AccountId(account),
            acquired,
            released,
            bytes_held: acquired.saturating_sub(released) * 4096,
            calls: 1,
            held_since: Nanos(self.now),
            ..AccountSampled::default()
        }))
    }

    /// The totals of an account are sampled, in pages, with releases that may have been the account's.
    pub fn unclear_totals(&mut self, account: u32, acquired: u64, unclear_releases: u64) -> &mut Self {
        self.emit(Body::AccountSampled(AccountSampled {
            account: AccountId(account),
            acquired,
            bytes_held: acquired * 4096,
            calls: 1,
            held_since: Nanos(self.now),
            unclear_releases,
            ..AccountSampled::default()
        }))
    }

    /// The pin calls of an account are sampled.
    pub fn pin_calls(&mut self, sample: PinCallsSampled) -> &mut Self {
        self.emit(Body::PinCallsSampled(Box::new(sample)))
    }

    /// A long-term extent is opened.
    pub fn extent(&mut self, extent: u32, account: u32, pages: u64, stack: Option<u32>) -> &mut Self {
        let address = 0x7f00_0000_0000 + u64::from(extent) * (1 << 21);
        self.emit(Body::ExtentOpened(ExtentOpened {
            extent: ExtentId(extent),
            account: AccountId(account),
            address,
            end: address + pages * 4096,
            pages,
            bytes_held: pages * 4096,
            flags: 0x101,
            stack: stack.map(StackId),
            ..ExtentOpened::default()
        }))
    }

    /// The last page of an extent is released.
    pub fn extent_closed(&mut self, extent: u32, pages: u64, by: u32) -> &mut Self {
        self.emit(Body::ExtentClosed(ExtentClosed {
            extent: ExtentId(extent),
            pages,
            end: 0,
            by: Pid(by),
        }))
    }

    /// An account is closed.
    pub fn account_closed(&mut self, account: u32) -> &mut Self {
        self.emit(Body::AccountClosed(AccountId(account)))
    }

    /// A process ends.
    pub fn exit(&mut self, pid: u32, signal: u32, status: u32) -> &mut Self {
        self.emit(Body::ProcessExited(ProcessExited {
            pid: Pid(pid),
            signal,
            status,
            longterm_pages_held: None,
        }))
    }

    /// A kernel stack is seen.
    pub fn stack(&mut self, stack: u32, frames: &[u64]) -> &mut Self {
        self.emit(Body::StackSeen(StackSeen {
            stack: StackId(stack),
            frames: frames.to_vec(),
        }))
    }

    /// A kernel address gets its name.
    pub fn symbol(&mut self, address: u64, symbol: &str, module: &str) -> &mut Self {
        self.emit(Body::SymbolSeen(SymbolSeen {
            address,
            symbol: symbol.into(),
            offset: 0x42,
            module: module.into(),
        }))
    }

    /// vmstat and the ledger agree, and 20 of 30 preexisting pages are still held.
    pub fn balance(&mut self, acquired: u64, released: u64) -> &mut Self {
        self.emit(Body::BalanceSampled(Box::new(BalanceSampled {
            vmstat_acquired: Some(acquired + 8),
            vmstat_released: Some(released + 8 + 10),
            preexisting_held: 30,
            ledger_acquired: acquired,
            ledger_released: released,
            preexisting_released: 10,
            gup_retry: 8,
            ..BalanceSampled::default()
        })))
    }

    /// The loss counters are sampled.
    pub fn loss(&mut self, counters: &[(&str, u64)]) -> &mut Self {
        let counters: BTreeMap<String, u64> = counters
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect();
        self.emit(Body::LossSampled(counters))
    }

    /// Time passes: a tick.
    pub fn tick(&mut self) -> &mut Self {
        self.emit(Body::Tick)
    }

    /// The session ends, with the exit code of its command, or by a signal if `exit_code` is `None`.
    pub fn stop(&mut self, exit_code: Option<i32>) -> &mut Self {
        let reason = if exit_code.is_some() { "command" } else { "signal" };
        self.emit(Body::Stopped(Stopped {
            reason: reason.into(),
            exit_code,
        }))
    }
}

/// Returns a stream of three processes: fio holds fixed buffers, pinload is killed while holding some, and a process
/// with the pid of pinload uses process_vm_readv.
pub fn fio_and_others() -> EventBuilder {
    let mut builder = EventBuilder::begin();
    builder
        .symbol(IO_PIN_PAGES, "io_pin_pages", "")
        .symbol(PROCESS_VM_RW, "process_vm_rw.isra.0", "")
        .symbol(0xffff_ffff_c000_0010, "my_ioctl", "my_driver")
        .stack(1, &[IO_PIN_PAGES, 0xffff_ffff_c000_0010, 0xffff_ffff_8100_0001])
        .account(1, 812, 812, IO_PIN_PAGES, true)
        .process(812, "fio")
        .extent(1, 1, 1024, Some(1))
        .wait(SECOND / 2)
        .account(2, 900, 901, IO_PIN_PAGES, true)
        .process(900, "pinload")
        .extent(2, 2, 64, Some(1))
        .totals(1, 1024, 0)
        .totals(2, 64, 0)
        .balance(1088, 0)
        .wait(SECOND / 2)
        .tick()
        .wait(SECOND / 2)
        .exit(900, 9, 0)
        .extent_closed(2, 64, 900)
        .totals(2, 64, 64)
        .account_closed(2)
        .account(3, 900, 900, PROCESS_VM_RW, false)
        .process(900, "reader")
        .totals(3, 5_000, 5_000)
        .totals(1, 1024, 0)
        .balance(6_088, 5_064)
        .loss(&[("ring_full", 0)])
        .wait(SECOND / 2)
        .tick()
        .wait(SECOND)
        .exit(900, 0, 3)
        .account_closed(3)
        .tick()
        .stop(Some(0));
    builder
}
