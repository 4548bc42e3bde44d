//! Tests of the keys of time in a replay, and of its header.

use tokio::sync::mpsc;

use super::super::super::header::{self, HeaderScene};
use super::super::super::replay::{ReplayFrame, ReplayRequest, ReplayState, ReplayTarget, ReplayWork};
use super::super::super::theme::Theme;
use super::*;

/// Returns the state of a replay, and the receiver of its requests.
fn replay(state: ReplayState) -> (App, mpsc::UnboundedReceiver<ReplayRequest>) {
    let (requests, asked) = mpsc::unbounded_channel();
    let mut app = App::of_pids(Vec::new());
    app.time.replay(requests);
    app.take_frame(ReplayFrame {
        snapshot: at(1000),
        state,
        ..ReplayFrame::default()
    });
    (app, asked)
}

#[test]
fn the_keys_of_time_ask_a_replay() {
    let (mut app, mut asked) = replay(ReplayState::default());
    typed(&mut app, "z []{}:at 90s⏎:at -2m⏎:at start⏎:at end⏎⎋");
    let seconds = |seconds: u64| Nanos(seconds * 1_000_000_000);
    let expected = [
        ReplayRequest::Toggle,
        ReplayRequest::Toggle,
        ReplayRequest::Step(-1),
        ReplayRequest::Step(1),
        ReplayRequest::Step(-10),
        ReplayRequest::Step(10),
        ReplayRequest::To(ReplayTarget::After(seconds(90))),
        ReplayRequest::To(ReplayTarget::BeforeEnd(seconds(120))),
        ReplayRequest::To(ReplayTarget::Start),
        ReplayRequest::To(ReplayTarget::End),
    ];
    for request in expected {
        assert_eq!(asked.try_recv(), Ok(request));
    }
    assert!(asked.try_recv().is_err(), "Escape leaves nothing");
    assert_eq!(
        app.shown.time,
        seconds(1000),
        "the screen stays until the next frame"
    );
}

#[test]
fn a_moment_outside_the_recording_is_said_to_be_its_start_or_end() {
    let state = ReplayState {
        length: Nanos(59_800_000_000),
        ..ReplayState::default()
    };
    let (mut app, _asked) = replay(state.clone());
    let mut notice = |typing: &str| {
        typed(&mut app, typing);
        app.notice.take()
    };
    assert_eq!(
        notice(":at 99999s⏎").as_deref(),
        Some("The recording is 1m00s long. This is its end.")
    );
    assert_eq!(
        notice(":at -5m⏎").as_deref(),
        Some("The recording is 1m00s long. This is its start.")
    );
    for inside in [":at 60s⏎", ":at 20s⏎", ":at -1m⏎", ":at end⏎", ":at start⏎"] {
        assert_eq!(notice(inside), None, "{inside}");
    }
    let (mut app, _asked) = replay(ReplayState {
        work: Some(ReplayWork::Reading(30)),
        ..state
    });
    typed(&mut app, ":at 99999s⏎");
    assert_eq!(app.notice, None, "the length is not known yet");
}

#[test]
fn the_hint_of_a_replay_offers_to_play_or_to_pause() {
    let hint = |plays| {
        let (app, _asked) = replay(ReplayState {
            plays,
            ..ReplayState::default()
        });
        app.time.toggle_hint()
    };
    assert_eq!((hint(false), hint(true)), ("play", "pause"));
}

#[test]
fn escape_leaves_the_work_of_a_replay_and_not_the_filter() {
    let (mut app, mut asked) = replay(ReplayState {
        work: Some(ReplayWork::Going(40)),
        ..ReplayState::default()
    });
    app.filter.set("fio".to_owned());
    typed(&mut app, "⎋");
    assert_eq!(asked.try_recv(), Ok(ReplayRequest::Leave));
    assert_eq!(app.filter.text(), "fio");
}

#[test]
fn the_header_says_where_a_replay_is_and_why_it_ends_early() {
    let state = ReplayState {
        position: Nanos(12_000_000_000),
        length: Nanos(61_000_000_000),
        early_end: Some("cut short after 7 events".into()),
        ..ReplayState::default()
    };
    let header = |state: ReplayState| {
        let (app, _asked) = replay(state);
        let (snapshot, words) = app.moment();
        let scene = HeaderScene {
            snapshot,
            moment: &words,
            recording: None,
            keys: &app.keys,
            theme: Theme::new(false),
        };
        let lines = header::lines(scene, 100, 8);
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        lines.join("\n")
    };
    let text = header(state.clone());
    assert!(text.contains("REPLAY 12s of 1m01s, paused (z)"), "{text}");
    assert!(text.contains("! recording cut short after 7 events"), "{text}");
    let playing = header(ReplayState {
        plays: true,
        ..state.clone()
    });
    assert!(playing.contains("playing (z)"), "{playing}");
    let reading = header(ReplayState {
        work: Some(ReplayWork::Reading(30)),
        ..state
    });
    assert!(reading.contains("reading 30 % (Esc)"), "{reading}");
}
