//! A synthetic stream for tests: short words for the events that a real one is made of.

mod mishaps;

use std::collections::BTreeMap;

use crate::event::{
    AccountOpened, AccountSampled, Body, Event, ExtentClosed, ExtentOpened, Probe, ProcessExited,
    ProcessSeen, StackSeen, Started, Stopped, SymbolSeen, TruthSampled,
};
use crate::units::{AccountId, ExtentId, Nanos, Pid, StackId, Tid};

pub(crate) use mishaps::mishaps;

/// One second.
pub(crate) const SECOND: u64 = 1_000_000_000;
/// Return address of `io_pin_pages` in these stories.
pub(crate) const IO_PIN_PAGES: u64 = 0xffff_ffff_8110_0000;
/// Return address of `process_vm_rw` in these stories.
pub(crate) const PROCESS_VM_RW: u64 = 0xffff_ffff_8120_0000;

/// Events so far; each verb adds one at the present moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    pub(crate) events: Vec<Event>,
    now: u64,
}

impl Story {
    /// A stream begun one second after boot on a 6.12 kernel.
    pub(crate) fn begin() -> Self {
        let mut story = Self {
            events: Vec::new(),
            now: SECOND,
        };
        let probe = |purpose: &str, function: &str, method: &str| Probe {
            purpose: purpose.into(),
            function: function.into(),
            method: method.into(),
        };
        story.tell(Body::Started(Started {
            tool: "0.1.0".into(),
            kernel: "6.12.107+deb13-cloud-amd64".into(),
            machine: "x86_64".into(),
            host: "guest".into(),
            wall_ns: 1_764_000_000 * SECOND,
            page_size: 4096,
            witness: "events".into(),
            without_events: String::new(),
            without_findings: String::new(),
            probes: vec![
                probe("acquire", "pin_user_pages_fast", "fexit"),
                probe("acquire", "pin_user_pages_remote", "kretprobe"),
                probe("release", "unpin_user_pages", "fentry"),
            ],
            missing: Vec::new(),
            command: vec!["fio".into(), "job.fio".into()],
            exclusive_pages: false,
        }));
        story
    }

    pub(crate) fn tell(&mut self, body: Body) -> &mut Self {
        self.events.push(Event {
            time: Nanos(self.now),
            body,
        });
        self
    }

    pub(crate) fn wait(&mut self, nanos: u64) -> &mut Self {
        self.now += nanos;
        self
    }

    pub(crate) fn process(&mut self, pid: u32, comm: &str) -> &mut Self {
        self.tell(Body::ProcessSeen(ProcessSeen {
            pid: Pid(pid),
            parent: Pid(1),
            comm: comm.into(),
            cmdline: format!("{comm} --some option"),
            uid: Some(1000),
            cgroup: "/user.slice/session-1.scope".into(),
        }))
    }

    pub(crate) fn account(
        &mut self,
        account: u32,
        pid: u32,
        tid: u32,
        caller: u64,
        longterm: bool,
    ) -> &mut Self {
        self.tell(Body::AccountOpened(AccountOpened {
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

    pub(crate) fn totals(&mut self, account: u32, acquired: u64, released: u64) -> &mut Self {
        self.tell(Body::AccountSampled(AccountSampled {
            account: AccountId(account),
            acquired,
            released,
            bytes_held: acquired.saturating_sub(released) * 4096,
            calls: 1,
            held_since: Nanos(self.now),
            stack: None,
        }))
    }

    pub(crate) fn extent(&mut self, extent: u32, account: u32, pages: u64, stack: Option<u32>) -> &mut Self {
        let address = 0x7f00_0000_0000 + u64::from(extent) * (1 << 21);
        self.tell(Body::ExtentOpened(ExtentOpened {
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

    pub(crate) fn extent_closed(&mut self, extent: u32, pages: u64, by: u32) -> &mut Self {
        self.tell(Body::ExtentClosed(ExtentClosed {
            extent: ExtentId(extent),
            pages,
            end: 0,
            by: Pid(by),
        }))
    }

    pub(crate) fn account_closed(&mut self, account: u32) -> &mut Self {
        self.tell(Body::AccountClosed(AccountId(account)))
    }

    pub(crate) fn exit(&mut self, pid: u32, signal: u32, status: u32) -> &mut Self {
        self.tell(Body::ProcessExited(ProcessExited {
            pid: Pid(pid),
            signal,
            status,
            longterm_pages_held: None,
        }))
    }

    pub(crate) fn stack(&mut self, stack: u32, frames: &[u64]) -> &mut Self {
        self.tell(Body::StackSeen(StackSeen {
            stack: StackId(stack),
            frames: frames.to_vec(),
        }))
    }

    pub(crate) fn symbol(&mut self, address: u64, symbol: &str, module: &str) -> &mut Self {
        self.tell(Body::SymbolSeen(SymbolSeen {
            address,
            symbol: symbol.into(),
            offset: 0x42,
            module: module.into(),
        }))
    }

    /// Books that agree with the ledger, 20 older pages still held of 30.
    pub(crate) fn truth(&mut self, acquired: u64, released: u64) -> &mut Self {
        self.tell(Body::TruthSampled(TruthSampled {
            books_acquired: Some(acquired + 8),
            books_released: Some(released + 8 + 10),
            opening_held: 30,
            ledger_acquired: acquired,
            ledger_released: released,
            opening_released: 10,
            internal: 8,
            ..TruthSampled::default()
        }))
    }

    pub(crate) fn loss(&mut self, counters: &[(&str, u64)]) -> &mut Self {
        let counters: BTreeMap<String, u64> = counters
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect();
        self.tell(Body::LossSampled(counters))
    }

    pub(crate) fn tick(&mut self) -> &mut Self {
        self.tell(Body::Tick)
    }

    pub(crate) fn stop(&mut self, exit_code: Option<i32>) -> &mut Self {
        let reason = if exit_code.is_some() { "command" } else { "signal" };
        self.tell(Body::Stopped(Stopped {
            reason: reason.into(),
            exit_code,
        }))
    }
}

/// fio holds fixed buffers; a helper is killed while it holds some and its pid is used again; a
/// reader moves pages by process_vm_readv.
pub(crate) fn fio_and_others() -> Story {
    let mut story = Story::begin();
    story
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
        .truth(1088, 0)
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
        .truth(6_088, 5_064)
        .loss(&[("ring_full", 0)])
        .wait(SECOND / 2)
        .tick()
        .wait(SECOND)
        .exit(900, 0, 3)
        .account_closed(3)
        .tick()
        .stop(Some(0));
    story
}
