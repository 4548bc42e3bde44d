//! A stream with several kinds of findings.

use pintrace_events::units::{AccountId, ExtentId, Nanos, Pid, StackId, Tid};
use pintrace_events::{
    Body, Cause, CowSampled, ExtentOpened, FlushCheck, MappingChange, MappingChanged, MmId, RangeIn,
    WindowsSampled,
};

use super::{EventBuilder, IO_PIN_PAGES, SECOND};

/// Address of the pinned buffer in this stream.
const BUFFER: u64 = 0x7f00_0040_0000;
const MM: MmId = MmId(0xffff_8880_0000_7000);

/// Returns a stream in which a program unmaps half of a registered buffer, forks, and writes to a page, which is
/// copied. The process ends while the rest is pinned. The name of the process contains markup and control characters.
pub fn finding_fixtures() -> EventBuilder {
    let mut builder = EventBuilder::begin();
    for event in &mut builder.events {
        if let Body::Started(started) = &mut event.body {
            started.exclusive_pages = true;
        }
    }
    builder
        .symbol(IO_PIN_PAGES, "io_pin_pages", "")
        .symbol(0x21, "unmap_page_range", "")
        .symbol(0x22, "__do_munmap", "")
        .symbol(0x23, "wp_page_copy", "")
        .stack(1, &[IO_PIN_PAGES, 0x99])
        .stack(2, &[0x21, 0x22])
        .stack(3, &[0x23])
        .account(1, 7, 8, IO_PIN_PAGES, true)
        .process(7, "a\"<b>&\u{1b}[31m\u{202e}")
        .emit(Body::ExtentOpened(ExtentOpened {
            extent: ExtentId(1),
            account: AccountId(1),
            address: BUFFER,
            end: BUFFER + 16 * 4096,
            pages: 16,
            bytes_held: 16 * 4096,
            stack: Some(StackId(1)),
            mm: MM,
            ..ExtentOpened::default()
        }))
        .totals(1, 16, 0)
        .wait(SECOND / 2);
    mapping_changed(&mut builder, MappingChange::Munmap, 12, 0);
    mapping_changed(&mut builder, MappingChange::Munmap, 8, 0);
    mapping_changed(&mut builder, MappingChange::Fork, 4, 3);
    builder
        .emit(Body::CowSampled(Box::new(cow_sampled())))
        .emit(Body::WindowsSampled(Box::new(windows_sampled())))
        .emit(Body::FlushCheckSampled(FlushCheck {
            agreed: 2,
            covered_only: 1,
            pending_only: 40,
        }))
        .wait(SECOND)
        .exit(7, 0, 0)
        .emit(Body::MmExited(MM))
        .wait(SECOND)
        .tick()
        .stop(Some(0));
    builder
}

/// Adds a mapping change from page `first` of the buffer on.
fn mapping_changed(builder: &mut EventBuilder, what: MappingChange, first: u64, pages: u64) {
    builder.wait(1_000_000).emit(Body::MappingChanged(MappingChanged {
        within: RangeIn::Mm(MM),
        what,
        address: BUFFER + first * 4096,
        end: BUFFER + (1 << 20),
        pages,
        pid: Pid(7),
        tid: Tid(9),
        comm: "toucher".into(),
        stack: Some(StackId(2)),
        after_loss: false,
    }));
}

fn cow_sampled() -> CowSampled {
    CowSampled {
        id: 1,
        account: AccountId(1),
        extent: Some((BUFFER, Nanos(SECOND))),
        anonymous: true,
        address: BUFFER,
        end: BUFFER + 4096,
        copies: 1,
        pages: 1,
        in_window: 1,
        first: Nanos(SECOND + SECOND / 2),
        last: Nanos(SECOND + SECOND / 2),
        tid: Tid(9),
        pid: Pid(7),
        comm: "writer".into(),
        stack: Some(StackId(3)),
        ..CowSampled::default()
    }
}

fn windows_sampled() -> WindowsSampled {
    WindowsSampled {
        pid: Pid(7),
        comm: "writer".into(),
        cause: Cause::UffdWp,
        windows: 10,
        pages: 2_560,
        longest_ns: 45_000,
        durations: vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1],
        faults: 3,
        copies: 1,
        pins: 4,
        first: Nanos(SECOND + 1),
        last: Nanos(SECOND + 2),
        address: BUFFER,
    }
}
