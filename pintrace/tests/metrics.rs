//! The metrics endpoint, including clients that send garbage or nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "support/wait.rs"]
mod wait;

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pintrace_events::units::Nanos;
use pintrace_metrics::server::{BindError, Limits, Server};
use pintrace_metrics::{CONTENT_TYPE, render};
use pintrace_model::Model;
use pintrace_model::field::metric::families;
use pintrace_model::own_cost::{
    MapMemory, Measurement, OwnCost, ProcessCost, ProgramPurpose, RingFill, RunTime, Runs,
};
use pintrace_model::snapshot::{Balance, Snapshot};
use pintrace_record::Reader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// A running endpoint on a free port.
struct Endpoint {
    address: SocketAddr,
    snapshots: watch::Sender<Arc<Snapshot>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn endpoint(limits: Limits) -> Endpoint {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), limits)
        .await
        .unwrap();
    let address = server.address().unwrap();
    let (snapshots, receiver) = watch::channel(Arc::new(Model::default().snapshot()));
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.run(receiver, async {
        let _ = stopped.await;
    }));
    Endpoint {
        address,
        snapshots,
        stop,
        task,
    }
}

/// Sends bytes and returns the whole answer.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may close the connection before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: SocketAddr, path: &str) -> String {
    exchange(
        address,
        format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes(),
    )
    .await
}

#[tokio::test]
async fn metrics_are_of_the_latest_snapshot() {
    let endpoint = endpoint(Limits::default()).await;
    let answer = get(endpoint.address, "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains(&format!("content-type: {CONTENT_TYPE}\r\n")),
        "{answer}"
    );
    assert!(!answer.contains("pintrace_unaccounted_pages"), "{answer}");
    let balance = Balance {
        vmstat_readable: true,
        unaccounted: 17,
        ..Balance::default()
    };
    endpoint
        .snapshots
        .send(Arc::new(Snapshot {
            balance,
            ..Snapshot::default()
        }))
        .unwrap();
    let answer = get(endpoint.address, "/metrics").await;
    assert!(answer.contains("\npintrace_unaccounted_pages 17\n"), "{answer}");
}

#[tokio::test]
async fn each_path_has_its_answer() {
    let endpoint = endpoint(Limits::default()).await;
    assert!(get(endpoint.address, "/").await.contains("/metrics"));
    assert!(get(endpoint.address, "/healthz").await.ends_with("\r\n\r\nok\n"));
    assert!(
        get(endpoint.address, "/metrics?x=1")
            .await
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        get(endpoint.address, "/etc/passwd")
            .await
            .starts_with("HTTP/1.1 404")
    );
    assert!(
        get(endpoint.address, "/metrics/../..")
            .await
            .starts_with("HTTP/1.1 404")
    );
}

#[tokio::test]
async fn only_get_and_head_are_answered() {
    let endpoint = endpoint(Limits::default()).await;
    let head = exchange(endpoint.address, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let post = exchange(
        endpoint.address,
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    )
    .await;
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    assert!(post.contains("allow: GET, HEAD"), "{post}");
}

#[tokio::test]
async fn garbage_is_refused_and_the_next_client_is_served() {
    let endpoint = endpoint(Limits::default()).await;
    let long_header = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let many_headers = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(200));
    let long_path = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let noise: Vec<u8> = (0..20_000_u32)
        .map(|byte| byte.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    for garbage in [
        long_header.as_bytes(),
        many_headers.as_bytes(),
        long_path.as_bytes(),
        &noise,
        b"\x16\x03\x01\0\r\n\r\n",
    ] {
        let answer = exchange(endpoint.address, garbage).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(get(endpoint.address, "/healthz").await.ends_with("ok\n"));
    }
}

#[tokio::test]
async fn slow_clients_are_dropped_after_the_limits() {
    let limits = Limits {
        connections: 2,
        head: Duration::from_millis(300),
        connection: Duration::from_millis(600),
        ..Limits::default()
    };
    let endpoint = endpoint(limits).await;
    let mut silent = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(endpoint.address).await.unwrap();
        stream.write_all(b"GET /metrics HT").await.unwrap();
        silent.push(stream);
    }
    // The silent clients never end their requests, so only the limits end a connection.
    let answer = tokio::time::timeout(wait::PATIENCE, get(endpoint.address, "/healthz")).await;
    assert!(answer.unwrap().ends_with("ok\n"));
    drop(silent);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let limits = Limits {
        connections: 1,
        connection: Duration::from_millis(300),
        ..Limits::default()
    };
    let endpoint = endpoint(limits).await;
    // More than the socket buffers of both ends hold, so that the server cannot send all of the answer.
    let loss = vec![("ring_full", 1); 400_000];
    endpoint
        .snapshots
        .send(Arc::new(Snapshot {
            loss,
            ..Snapshot::default()
        }))
        .unwrap();
    let mut stalled = TcpStream::connect(endpoint.address).await.unwrap();
    stalled
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert!(get(endpoint.address, "/healthz").await.ends_with("ok\n"));
    let mut answer = Vec::new();
    let _ = stalled.read_to_end(&mut answer).await;
    assert!(
        answer.len() < 400_000 * 40,
        "the client was dropped only after the whole answer: {} bytes",
        answer.len()
    );
}

#[tokio::test]
async fn an_address_in_use_is_refused_with_the_remedy() {
    let endpoint = endpoint(Limits::default()).await;
    let error = Server::bind(endpoint.address, Limits::default())
        .await
        .unwrap_err();
    assert!(matches!(error, BindError::InUse(address) if address == endpoint.address));
    assert!(error.to_string().contains("--web.listen-address"), "{error}");
    let elsewhere = Server::bind("192.0.2.1:9964".parse().unwrap(), Limits::default())
        .await
        .unwrap_err();
    assert!(matches!(elsewhere, BindError::NotHere(_)), "{elsewhere}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_does_not_wait_for_open_connections() {
    let endpoint = endpoint(Limits {
        farewell: Duration::from_millis(100),
        ..Limits::default()
    })
    .await;
    let _open = TcpStream::connect(endpoint.address).await.unwrap();
    endpoint.stop.send(()).unwrap();
    wait::until("the end of the server", || {
        endpoint.task.is_finished().then_some(())
    });
    endpoint.task.await.unwrap();
    assert!(TcpStream::connect(endpoint.address).await.is_err());
}

/// Returns an own cost with every figure.
fn own_cost() -> OwnCost {
    let total = Measurement {
        over: Nanos(1_000_000_000),
        runs: ProgramPurpose::ALL
            .map(|purpose| (purpose, Runs::default()))
            .into(),
    };
    OwnCost {
        run_time: RunTime {
            total,
            ..RunTime::default()
        },
        maps: [(".bss".to_owned(), MapMemory { maps: 1, bytes: 4096 })].into(),
        ring: Some(RingFill::default()),
        process: ProcessCost {
            cpu: Nanos(1_250_000_000),
            resident: Some(4096),
            ..ProcessCost::default()
        },
        ..OwnCost::default()
    }
}

#[test]
fn the_own_cost_is_exported_if_it_is_known() {
    let names = [
        "pintrace_program_run_seconds_total",
        "pintrace_program_runs_total",
        "pintrace_program_measured_seconds_total",
        "pintrace_map_memory_bytes",
        "pintrace_ring_buffer_size_bytes",
        "pintrace_ring_buffer_used_bytes",
        "pintrace_ring_buffer_max_used_bytes",
        "pintrace_process_cpu_seconds_total",
        "pintrace_process_resident_memory_bytes",
    ];
    let mut snapshot = Model::default().snapshot();
    let without = render(&snapshot);
    assert!(names.iter().all(|name| !without.contains(name)), "{without}");
    let mut cost = own_cost();
    snapshot.own_cost = Some(Arc::new(cost.clone()));
    let with = render(&snapshot);
    for name in names {
        assert!(with.contains(&format!("# TYPE {name} ")), "{name}");
    }
    for line in [
        "pintrace_program_runs_total{purpose=\"scan\"} 0",
        "pintrace_program_measured_seconds_total 1",
        "pintrace_map_memory_bytes{map=\".bss\"} 4096",
        "pintrace_process_cpu_seconds_total 1.25",
    ] {
        assert!(with.lines().any(|have| have == line), "{line}\n{with}");
    }
    // Without a measurement, no share can be computed: a 0 would be wrong.
    cost.run_time = RunTime::default();
    snapshot.own_cost = Some(Arc::new(cost));
    assert!(!render(&snapshot).contains("pintrace_program"));
}

#[tokio::test]
async fn a_read_of_the_metrics_is_seen_and_other_reads_are_not() {
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), Limits::default())
        .await
        .unwrap();
    let (address, reads) = (server.address().unwrap(), server.reads());
    let (_snapshots, receiver) = watch::channel(Arc::new(Model::default().snapshot()));
    tokio::spawn(server.run(receiver, std::future::pending()));
    get(address, "/healthz").await;
    get(address, "/").await;
    assert!(reads.borrow().is_none());
    get(address, "/metrics").await;
    assert!(reads.borrow().is_some());
}

/// Returns the end of the demo recording, as a service that measures its own cost would show it.
fn demo() -> Snapshot {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures/demo.pintrace");
    let mut model = Model::default();
    for event in Reader::new(File::open(file).unwrap()).unwrap() {
        model.apply(&event.unwrap());
    }
    let mut snapshot = model.snapshot();
    snapshot.own_cost = Some(Arc::new(own_cost()));
    snapshot
}

#[test]
fn each_sample_has_the_labels_of_its_metric() {
    for family in families(&demo()) {
        let samples = family.samples.iter().map(|sample| &sample.labels);
        let all = samples.chain(family.histograms.iter().map(|histogram| &histogram.labels));
        for labels in all {
            let names: Vec<_> = labels.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, family.metric.labels, "{}", family.metric.name);
        }
        // The demo has no failed call and none that takes long. The unit tests of these families have.
        let name = family.metric.name;
        let unit_tested =
            name == "pintrace_pin_failures_total" || name.starts_with("pintrace_pin_registration_");
        assert_eq!(family.is_empty(), unit_tested, "{name}");
    }
}

#[test]
#[ignore = "needs promtool, of Debian's prometheus package, on the PATH or in $PINTRACE_PROMTOOL"]
fn promtool_accepts_the_metrics() {
    let promtool = std::env::var_os("PINTRACE_PROMTOOL").unwrap_or_else(|| "promtool".into());
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = render(&demo());
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    // promtool exits with 0 even if it prints remarks.
    let remarks = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && remarks.is_empty(), "{remarks}");
}
