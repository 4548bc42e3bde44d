//! Takes from events what a recording for others should not tell: kernel addresses, command lines and the name of the host.

use std::hash::{BuildHasher, RandomState};

use pintrace_events::{AddressSpaceId, Body, Event, FileId, MmId, RangeIn};

use super::sink::{Sink, SinkError};

/// Redacts events on their way to a sink.
///
/// A kernel address becomes a number that only this session can compute from it: equal addresses stay equal, so the model
/// still knows which extents have one mm or one file, and the number says nothing of the place of the kernel in memory.
/// Addresses of processes stay, because findings compare ranges.
pub struct Redact<'a> {
    sink: &'a mut dyn Sink,
    key: RandomState,
    redacted: Vec<Event>,
}

impl<'a> Redact<'a> {
    /// Puts the redaction before a sink.
    pub fn new(sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            key: RandomState::new(),
            redacted: Vec::new(),
        }
    }
}

impl Sink for Redact<'_> {
    fn begin(&mut self) -> Result<Option<String>, SinkError> {
        self.sink.begin()
    }

    fn take(&mut self, events: &[Event]) -> Result<(), SinkError> {
        self.redacted.clear();
        self.redacted.extend_from_slice(events);
        for event in &mut self.redacted {
            redact(&mut event.body, &self.key);
        }
        self.sink.take(&self.redacted)
    }
}

fn redact(body: &mut Body, key: &RandomState) {
    let hide = |address: &mut u64| {
        if *address != 0 {
            // 0 stands for an unknown address.
            *address = key.hash_one(*address).max(1);
        }
    };
    match body {
        Body::Started(started) => {
            started.host.clear();
            started.command.clear();
        }
        Body::ProcessSeen(seen) => seen.cmdline.clear(),
        Body::AccountOpened(opened) => {
            hide(&mut opened.mm);
            hide(&mut opened.caller);
            hide(&mut opened.file.0);
        }
        Body::CallsInFlight(calls) => {
            for call in &mut calls.calls {
                hide(&mut call.file.0);
            }
        }
        Body::ExtentOpened(opened) => {
            hide(&mut opened.mm.0);
            hide(&mut opened.address_space.0);
            hide(&mut opened.file.0);
        }
        Body::StackSeen(seen) => seen.frames.iter_mut().for_each(hide),
        Body::SymbolSeen(seen) => hide(&mut seen.address),
        Body::MappingChanged(change) => match &mut change.within {
            RangeIn::Mm(MmId(within)) | RangeIn::AddressSpace(AddressSpaceId(within)) => hide(within),
        },
        Body::FileReleased(FileId(object))
        | Body::MmExited(MmId(object))
        | Body::AddressSpaceFreed(AddressSpaceId(object)) => hide(object),
        // These have no kernel address. A new kind of event has to be looked at here.
        Body::ProcessExited(_)
        | Body::ProcessExeced(_)
        | Body::AccountSampled(_)
        | Body::AccountClosed(_)
        | Body::PinCallsSampled(_)
        | Body::RegistrationFailed(_)
        | Body::ExtentSampled(_)
        | Body::ExtentMarked(_)
        | Body::ExtentClosed(_)
        | Body::BalanceSampled(_)
        | Body::LossSampled(_)
        | Body::ScanSampled(_)
        | Body::CowSampled(_)
        | Body::WindowsSampled(_)
        | Body::ChangesSuppressed(_)
        | Body::FlushCheckSampled(_)
        | Body::FindingHooksAttached(_)
        | Body::DetailShed(_)
        | Body::Tick
        | Body::Stopped(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use pintrace_model::Model;
    use pintrace_model::snapshot::Snapshot;
    use pintrace_testing::event_builder::finding_fixtures;

    use super::*;

    /// Keeps what it takes.
    struct Kept(Vec<Event>);

    impl Sink for Kept {
        fn take(&mut self, events: &[Event]) -> Result<(), SinkError> {
            self.0.extend_from_slice(events);
            Ok(())
        }
    }

    fn snapshot(events: &[Event]) -> Snapshot {
        let mut model = Model::default();
        for event in events {
            model.apply(event);
        }
        model.snapshot()
    }

    #[test]
    fn findings_and_figures_stay_and_kernel_addresses_go() {
        let events = finding_fixtures().events;
        let mut kept = Kept(Vec::new());
        Redact::new(&mut kept).take(&events).unwrap();
        let (before, after) = (snapshot(&events), snapshot(&kept.0));
        assert_eq!(before.finding_counts, after.finding_counts);
        assert_eq!(before.balance, after.balance);
        let stacks = |snapshot: &Snapshot| {
            let processes = snapshot.processes.iter();
            let extents = processes.flat_map(|process| process.open_extents.iter());
            let frames = extents.flat_map(|extent| extent.stack.to_vec());
            frames.filter(|frame| frame.contains('+')).collect::<Vec<_>>()
        };
        assert!(!stacks(&before).is_empty());
        assert_eq!(stacks(&before), stacks(&after), "symbols stay");
        let text = format!("{:?}", kept.0);
        for event in &events {
            if let Body::SymbolSeen(seen) = &event.body {
                assert!(!text.contains(&format!("address: {},", seen.address)), "{seen:?}");
            }
        }
        assert_eq!(after.started.host, "");
        assert!(after.processes.iter().all(|process| process.cmdline.is_empty()));
    }
}
