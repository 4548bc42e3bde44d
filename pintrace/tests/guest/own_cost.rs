//! The own cost, compared with the kernel's own figures: runs of programs, statistics that are off again, memory of maps,
//! resident memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use aya::programs::loaded_programs;
use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Checks, number, wait_for};
use crate::on_terminal::OnTerminal;
use crate::recording::end_idle;
use crate::robust_kit::{Before, Running, children, document, json_of, path};

const ADDRESS: &str = "127.0.0.1:9967";
const STATISTICS: &str = "/proc/sys/kernel/bpf_stats_enabled";
/// Runs of pinload in a test.
const LOADS: u32 = 5;
/// Programs that run at least once for each run of pinload: one for the pins, one for the releases.
const RUNS_PER_LOAD: f64 = 2.0;

/// Statistics that the administrator has enabled; disabled at the end of a test.
pub(crate) struct Enabled;

impl Enabled {
    pub(crate) fn new() -> Self {
        fs::write(STATISTICS, "1").unwrap();
        Self
    }
}

impl Drop for Enabled {
    fn drop(&mut self) {
        fs::write(STATISTICS, "0").unwrap();
    }
}

fn serve() -> Running {
    let serve = Running::start(&["serve", "--interval", "200ms", "--web.listen-address", ADDRESS]);
    serve.wait_for_stderr("serving");
    serve
}

/// Returns the metrics.
fn metrics() -> String {
    let mut stream = TcpStream::connect(ADDRESS).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Returns the value of a series; `None` if it is absent.
fn series(text: &str, series: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

fn load() {
    for _ in 0..LOADS {
        let pinload = Command::new("pinload")
            .arg("process-vm")
            .stdout(Stdio::null())
            .status();
        assert!(pinload.unwrap().success());
    }
}

/// Returns the number of runs of all programs on the host, as the kernel counts them.
fn runs_of_all() -> u64 {
    loaded_programs()
        .flatten()
        .map(|program| program.run_count())
        .sum()
}

/// Returns the memory of the maps of a process by id, as fdinfo has it.
fn memory_of_maps(pid: u32) -> BTreeMap<u64, u64> {
    let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap().flatten();
    let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
    texts
        .filter_map(|text| {
            let field = |name: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
            };
            Some((field("map_id:")?, field("memlock:")?))
        })
        .collect()
}

fn status_bytes(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024
}

#[test]
fn runs_of_the_pin_hooks_grow_with_the_pin_calls() {
    let _enabled = Enabled::new();
    let serve = serve();
    let pins = || series(&metrics(), "pintrace_program_runs_total{purpose=\"pins\"}");
    let before = wait_for("the first measurement", pins);
    load();
    wait_for("the runs of the pin hooks", || {
        let runs = pins().unwrap();
        (runs >= before + f64::from(LOADS) * RUNS_PER_LOAD).then_some(())
    });
    let text = metrics();
    let value = |name: &str| series(&text, name).unwrap_or_else(|| panic!("no {name} in {text}"));
    let mut checks = Checks::default();
    checks.about("continuous statistics");
    checks.holds(
        value("pintrace_program_run_seconds_total{purpose=\"pins\"}") > 0.0,
        "run time of the pin hooks",
    );
    checks.holds(
        value("pintrace_program_runs_total{purpose=\"processes\"}") > 0.0,
        "runs at the end of processes",
    );
    // The kernel's counts began before the first measurement.
    let all: f64 = ["pins", "findings", "processes", "scan"]
        .map(|purpose| {
            series(
                &text,
                &format!("pintrace_program_runs_total{{purpose=\"{purpose}\"}}"),
            )
        })
        .into_iter()
        .flatten()
        .sum();
    #[expect(clippy::cast_precision_loss, reason = "a count of a test")]
    let counted = runs_of_all() as f64;
    checks.holds(all <= counted, "no more runs than the kernel counts");
    checks.conclude();
    serve.signal(Signal::TERM);
    assert_eq!(serve.end().code, 0);
}

#[test]
fn statistics_are_off_after_a_measurement_and_after_the_session() {
    end_idle();
    let before = Before::now();
    let mut checks = Checks::default();
    let killed = serve();
    assert!(series(&metrics(), "pintrace_program_measured_seconds_total").is_none());
    let measured = || series(&metrics(), "pintrace_program_measured_seconds_total");
    let seconds = wait_for("the first measurement", measured);
    println!("measured over {seconds} s");
    checks.about("between two measurements");
    // The next measurement begins 30 seconds after the begin of the first.
    let runs = runs_of_all();
    load();
    checks.same("runs", runs_of_all(), runs);
    checks.same("measured time", measured(), Some(seconds));

    checks.about("after kill -9");
    let [helper] = children(killed.pid())[..] else {
        panic!("not one process beside the session")
    };
    killed.signal(Signal::KILL);
    assert_eq!(killed.end().code, 137);
    wait_for("the end of the process that enables the statistics", || {
        (!fs::exists(format!("/proc/{helper}")).unwrap()).then_some(())
    });
    before.assert_nothing_is_left();

    checks.about("after top --once");
    let top = json_of(&["top", "--once", "--json", "--interval", "500ms"]);
    let run_time = &top["own_cost"]["run_time"];
    checks.same("statistics", run_time["statistics"].as_str(), Some("sampled"));
    checks.holds(number(&run_time["latest"]["over_ns"]) > 0, "a measurement");
    let file = path("off.pintrace");
    let recording = Running::start(&["record", "-o", file.to_str().unwrap(), "--", "sleep", "1000"]);
    wait_for("the command", || {
        (!children(recording.pid()).is_empty()).then_some(())
    });
    let runs = runs_of_all();
    load();
    checks.same("runs", runs_of_all(), runs);
    {
        let _enabled = Enabled::new();
        load();
        checks.holds(runs_of_all() > runs, "the control: runs with statistics");
    }
    recording.signal(Signal::TERM);
    recording.end();
    checks.conclude();
}

#[test]
fn memory_agrees_with_proc() {
    end_idle();
    let serve = serve();
    // Memory that was used once is resident from then on.
    load();
    // A long-term pin makes records.
    let pinload = Command::new("pinload")
        .arg("io-uring")
        .stdout(Stdio::null())
        .status();
    assert!(pinload.unwrap().success());
    wait_for("a record in the ring buffer", || {
        let most = series(&metrics(), "pintrace_ring_buffer_max_used_bytes")?;
        (most > 0.0).then_some(())
    });
    let mut checks = Checks::default();
    let text = metrics();
    let value = |name: &str| series(&text, name).unwrap_or_else(|| panic!("no {name} in {text}"));
    let maps: f64 = text
        .lines()
        .filter(|line| line.starts_with("pintrace_map_memory_bytes{"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum();
    let expected: u64 = memory_of_maps(serve.pid()).values().sum();
    println!(
        "{} maps, {expected} bytes, shown {maps}",
        memory_of_maps(serve.pid()).len()
    );
    checks.about("maps");
    // Since 6.4 a map that allocates on demand grows with its entries.
    let near = |shown: f64, expected: u64, margin: f64| {
        #[expect(clippy::cast_precision_loss, reason = "bytes of a test")]
        let expected = expected as f64;
        (shown - expected).abs() <= expected * margin
    };
    checks.holds(near(maps, expected, 0.02), "the sum of fdinfo");
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("pintrace_map_memory_bytes{map=\"")?
                .split('"')
                .next()
        })
        .collect();
    checks.holds(
        names.contains("RING") && names.contains("EXTENTS"),
        "names of maps",
    );

    checks.about("process");
    let resident = status_bytes(serve.pid(), "VmRSS:");
    let shown = value("pintrace_process_resident_memory_bytes");
    println!("resident {resident} bytes, shown {shown}");
    checks.holds(near(shown, resident, 0.1), "VmRSS");
    let stat = fs::read_to_string(format!("/proc/{}/stat", serve.pid())).unwrap();
    let times: Vec<f64> = stat
        .rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse().unwrap())
        .collect();
    let cpu = value("pintrace_process_cpu_seconds_total");
    println!("CPU time {} s, shown {cpu}", (times[0] + times[1]) / 100.0);
    checks.holds(
        cpu <= (times[0] + times[1]) / 100.0 + 0.02 && cpu > 0.0,
        "CPU time",
    );

    checks.about("ring buffer");
    let [size, used, most] =
        ["size", "used", "max_used"].map(|which| value(&format!("pintrace_ring_buffer_{which}_bytes")));
    println!("ring buffer: {used} of {size} bytes, at most {most}");
    checks.holds(
        used <= most && most <= size && most > 0.0,
        "used, at most and size",
    );
    checks.holds(size >= 4096.0, "size");
    checks.conclude();
    serve.signal(Signal::TERM);
    assert_eq!(serve.end().code, 0);
}

#[test]
fn without_the_right_the_own_cost_says_why_and_shows_the_rest() {
    end_idle();
    let caps = "+bpf,+perfmon,+syslog,+dac_read_search,+sys_resource";
    let mut command = Command::new("/usr/bin/setpriv");
    command
        .args(["--reuid=1000", "--regid=1000", "--clear-groups"])
        .arg(format!("--inh-caps={caps}"))
        .arg(format!("--ambient-caps={caps}"))
        .args(["pintrace", "top", "--once", "--json", "--interval", "500ms"])
        .stdin(Stdio::null());
    let ended = Running::start_with(&mut command).end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let own_cost = &document(&ended.stdout)["own_cost"];
    let mut checks = Checks::default();
    checks.about("user 1000");
    let run_time = &own_cost["run_time"];
    checks.same("statistics", run_time["statistics"].as_str(), Some("refused"));
    checks.holds(
        run_time["why"]
            .as_str()
            .is_some_and(|why| why.contains("CAP_SYS_ADMIN")),
        "the reason",
    );
    checks.same("latest", &run_time["latest"], &Value::Null);
    checks.holds(number(&own_cost["map_bytes"]) > 1 << 20, "memory of the maps");
    checks.holds(number(&own_cost["resident_bytes"]) > 1 << 20, "resident memory");
    checks.holds(
        number(&own_cost["ring"]["size_bytes"]) > 0,
        "size of the ring buffer",
    );
    checks.holds(number(&own_cost["cpu"]["total_ns"]) > 0, "CPU time");
    checks.conclude();
}

#[test]
fn the_view_of_top_measures_while_it_is_open() {
    end_idle();
    let top = OnTerminal::start("pintrace top --interval 200ms");
    let runs = runs_of_all();
    load();
    assert_eq!(runs_of_all(), runs, "nobody looks");
    top.key(b"u");
    wait_for("the name of a map", || {
        top.screen().contains("CHUNK_SLOTS").then_some(())
    });
    wait_for("a measurement", || {
        load();
        (runs_of_all() > runs).then_some(())
    });
    top.key(b"1");
    wait_for("the end of the measurement", || {
        let runs = runs_of_all();
        load();
        (runs_of_all() == runs).then_some(())
    });
    top.key(b"q");
    assert_eq!(top.end(), 0);
    top.assert_restored();
}
