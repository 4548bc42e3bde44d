//! `pintrace serve` on a real kernel: it answers, refuses an address in use, ends normally, and promtool accepts its
//! metrics.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::harness::{Pinload, Started, skipped, wait_for};
use super::robust_kit::{Before, Running, pintrace};
use super::sums::disagreements_of_metrics;

const ADDRESS: &str = "127.0.0.1:9964";

fn get(path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(ADDRESS).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let found = disagreements_of_metrics(body);
    assert!(found.is_empty(), "{found:?}\n{body}");
    (head.to_owned(), body.to_owned())
}

/// Returns the value of a metric without labels.
fn value(body: &str, metric: &str) -> f64 {
    let line = body
        .lines()
        .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {metric} in {body}"))
        .parse()
        .unwrap()
}

/// Returns the remarks of promtool, which exits with 0 in spite of remarks.
fn remarks_on(body: &str) -> String {
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{}: {said}", output.status);
    said
}

#[test]
fn serve_answers_with_the_kernels_pins_and_ends_normally() {
    let before = Before::now();
    let serve = Running::start(&["serve", "--interval", "200ms"]);
    serve.wait_for_stderr("serving http://127.0.0.1:9964/metrics");
    before.assert_something_is_there();
    let (head, body) = get("/metrics");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let vmstat = value(&body, "pintrace_vmstat_acquired_pages_total");
    let pinload = Command::new("pinload")
        .arg("process-vm")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(pinload.success());
    wait_for("the pins of pinload", || {
        let (_, body) = get("/metrics");
        (value(&body, "pintrace_vmstat_acquired_pages_total") >= vmstat + 64.0).then_some(())
    });
    let (_, body) = get("/metrics");
    assert!(body.contains(r#"subsystem="process_vm""#), "{body}");
    assert!(
        value(&body, "pintrace_unaccounted_pages").abs() < f64::EPSILON,
        "{body}"
    );
    assert_eq!(remarks_on(&body), "");

    let second = pintrace(&["serve", "--web.listen-address", ADDRESS]);
    assert_eq!(second.code, 1, "{}", second.stderr);
    assert!(
        second.stderr.contains(ADDRESS) && second.stderr.contains("--web.listen-address"),
        "{}",
        second.stderr
    );

    serve.signal(Signal::TERM);
    let ended = serve.end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(TcpStream::connect(ADDRESS).is_err(), "serve still listens");
    before.assert_nothing_is_left();
}

#[test]
fn interrupting_serve_ends_it_normally() {
    let before = Before::now();
    let serve = Running::start(&["serve", "--web.listen-address", "127.0.0.1:0"]);
    serve.wait_for_stderr("serving http://");
    before.assert_something_is_there();
    serve.signal(Signal::INT);
    assert_eq!(serve.end().code, 0);
    before.assert_nothing_is_left();
}

#[test]
fn killing_serve_leaves_nothing() {
    let before = Before::now();
    let serve = Running::start(&["serve", "--web.listen-address", "127.0.0.1:0"]);
    serve.wait_for_stderr("serving http://");
    before.assert_something_is_there();
    serve.signal(Signal::KILL);
    assert_eq!(serve.end().code, 137);
    before.assert_nothing_is_left();
}

#[test]
fn a_long_registration_has_series_with_its_process_while_it_is_in_flight() {
    const NAME: &str = "a_long_registration_has_series_with_its_process_while_it_is_in_flight";
    const AGE: &str = "pintrace_pin_registration_age_seconds{";
    let serve = Running::start(&["serve", "--interval", "200ms", "--no-findings"]);
    serve.wait_for_stderr("serving http://127.0.0.1:9964/metrics");
    // At 10 ms a page, the call takes 8 s. A series begins after 5 s.
    let words = "slow-registration --pages 800";
    let (mut pinload, line) = match Pinload::at_first(words, "registering") {
        Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
        Started::Unavailable(why) => return skipped(NAME, &why),
    };
    let series = |metric: &str| {
        let (_, body) = get("/metrics");
        let found = body.lines().find(|line| line.starts_with(metric));
        found.map(ToOwned::to_owned)
    };
    let age = wait_for("the series of the registration", || series(AGE));
    let labels = format!(
        r#"subsystem="io_uring",pid="{0}",tid="{0}",comm="pinload",descriptor=""#,
        line["pid"]
    );
    assert!(age.contains(&labels), "{age}");
    let seconds: f64 = age.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((5.0..600.0).contains(&seconds), "{age}");
    let speed = series("pintrace_pin_registration_bytes_per_second{").unwrap();
    assert!(speed.contains(&labels), "{speed}");
    let in_progress = series(r#"pintrace_pin_calls_in_progress{subsystem="io_uring"}"#).unwrap();
    assert!(in_progress.ends_with(" 1"), "{in_progress}");
    let end = pinload.line().unwrap();
    assert_eq!(end["event"], "registered", "{end}");
    wait_for("the end of the series", || series(AGE).is_none().then_some(()));
    let (_, body) = get("/metrics");
    assert_eq!(remarks_on(&body), "");
    for line in [
        r#"pintrace_pin_call_duration_seconds_count{subsystem="io_uring"} 1"#,
        r#"pintrace_pin_call_pinned_bytes_total{subsystem="io_uring"} 3276800"#,
        r#"pintrace_pin_calls_in_progress{subsystem="io_uring"} 0"#,
    ] {
        assert!(body.lines().any(|have| have == line), "{line}\n{body}");
    }
    assert!(pinload.end().success());
    serve.signal(Signal::INT);
    assert_eq!(serve.end().code, 0);
}
