//! A registration that takes a minute, seen by all that show one while it is in flight: `top`, the metrics, and a Prometheus
//! with the alerts of dashboards/.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::harness::{Pinload, Started, number, skipped, wait_for_within};
use super::on_terminal::OnTerminal;
use super::robust_kit::{Running, path};

const ALERTS: &str = include_str!("../../../dashboards/alerts.yml");
const PINTRACE: &str = "127.0.0.1:9964";
const PROMETHEUS: &str = "127.0.0.1:9090";
/// At 10 ms a page, the call takes at least 64 s. The alert fires after 30 s.
const PAGES: u64 = 6400;
/// Longer than the whole registration, in a guest that the host runs slowly.
const PATIENCE: Duration = Duration::from_mins(5);

/// A Prometheus that scrapes pintrace each second.
struct Prometheus(Child);

impl Prometheus {
    fn start() -> std::io::Result<Self> {
        let (configuration, alerts, data) = (
            path("prometheus.yml"),
            path("alerts.yml"),
            path("prometheus.data"),
        );
        fs::write(&alerts, ALERTS)?;
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [{}]\n\
             scrape_configs: [{{job_name: pintrace, static_configs: [{{targets: ['{PINTRACE}']}}]}}]\n",
            alerts.display()
        );
        fs::write(&configuration, text)?;
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address={PROMETHEUS}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    /// Returns the firing alert about a long registration.
    fn pin_storm() -> Option<Value> {
        let body = get(PROMETHEUS, "/api/v1/alerts")?;
        let answer: Value = serde_json::from_str(&body).ok()?;
        let alerts = answer["data"]["alerts"].as_array()?;
        alerts
            .iter()
            .find(|alert| alert["labels"]["alertname"] == "PintracePinStorm" && alert["state"] == "firing")
            .cloned()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the body of a page; `None` if nobody answers yet.
fn get(address: &str, page: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(
        stream,
        "GET {page} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

#[test]
#[ignore = "takes minutes, and needs prometheus: `cargo xtask test --only-vm -- --ignored pin_storm` provides it"]
fn a_registration_of_a_minute_is_on_every_screen_and_fires_the_alert() {
    const NAME: &str = "a_registration_of_a_minute_is_on_every_screen_and_fires_the_alert";
    let serve = Running::start(&["serve", "--no-findings"]);
    serve.wait_for_stderr("serving http://127.0.0.1:9964/metrics");
    let prometheus = match Prometheus::start() {
        Ok(prometheus) => prometheus,
        Err(error) => return skipped(NAME, &format!("prometheus: {error}")),
    };
    wait_for_within(PATIENCE, "Prometheus", || get(PROMETHEUS, "/-/ready"));
    let top = OnTerminal::start("pintrace top --no-findings");
    let words = format!("slow-registration --pages {PAGES}");
    let (mut pinload, line) = match Pinload::at_first(&words, "registering") {
        Started::Ready(pinload, mut lines) => (pinload, lines.remove(0)),
        Started::Unavailable(why) => return skipped(NAME, &why),
    };
    assert_eq!(Prometheus::pin_storm(), None);
    top.key(b"P");
    let alert = wait_for_within(PATIENCE, "the alert", Prometheus::pin_storm);
    let labels = &alert["labels"];
    assert_eq!(labels["pid"], line["pid"].to_string(), "{alert}");
    assert_eq!(labels["comm"], "pinload", "{alert}");
    assert_eq!(labels["subsystem"], "io_uring", "{alert}");
    let descriptor: Result<u32, _> = labels["descriptor"].as_str().unwrap_or_default().parse();
    assert!(descriptor.is_ok(), "{alert}");
    let body = get(PINTRACE, "/metrics").unwrap();
    let speed = body
        .lines()
        .find(|line| line.starts_with("pintrace_pin_registration_bytes_per_second{"));
    let speed: f64 = speed.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    // 100 pages a second, and less in a slow guest.
    assert!(speed > 0.0 && speed <= 100.0 * 4096.0, "{speed} bytes a second");
    let screen = top.output();
    for word in ["Pin calls in flight", "io_uring", "pinload", "pinning for"] {
        assert!(screen.contains(word), "{word} on the screen");
    }
    let end = pinload.line().unwrap();
    assert_eq!(end["event"], "registered", "{end}");
    let took = Duration::from_nanos(number(&end["time_ns"]) - number(&line["time_ns"]));
    assert!(took >= Duration::from_mins(1), "{took:?}");
    println!("the registration took {took:?}; the alert: {alert}");
    wait_for_within(PATIENCE, "the end of the alert", || {
        Prometheus::pin_storm().is_none().then_some(())
    });
    top.key(b"q");
    assert_eq!(top.end(), 0);
    top.assert_restored();
    assert!(pinload.end().success());
    drop(prometheus);
    serve.signal(Signal::INT);
    assert_eq!(serve.end().code, 0);
}
