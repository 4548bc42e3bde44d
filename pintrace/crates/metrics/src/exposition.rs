//! Renders Prometheus' text format, version 0.0.4.

use std::fmt::Write as _;

use pintrace_model::field::metric::{Family, Histogram, families};
use pintrace_model::snapshot::Snapshot;

/// The content type of the text that [`render`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Returns every metric of a snapshot. The text has no line for a metric whose value is unknown.
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let mut text = String::with_capacity(16 * 1024);
    for family in families(snapshot) {
        if !family.is_empty() {
            write_family(&mut text, &family);
        }
    }
    text
}

fn write_family(text: &mut String, family: &Family) {
    let (name, kind) = (family.metric.name, family.metric.kind.as_str());
    // Writing into a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {}", escaped(family.help, false));
    let _ = writeln!(text, "# TYPE {name} {kind}");
    for sample in &family.samples {
        let _ = writeln!(text, "{name}{} {}", labels(&sample.labels), sample.value);
    }
    for histogram in &family.histograms {
        write_histogram(text, name, histogram);
    }
}

fn write_histogram(text: &mut String, name: &str, histogram: &Histogram) {
    let Histogram {
        labels: own,
        buckets,
        count,
        sum,
    } = histogram;
    let bounds = buckets.iter().map(|(bound, calls)| (bound.to_string(), calls));
    for (bound, calls) in bounds.chain([("+Inf".to_owned(), count)]) {
        let mut with_bound = own.clone();
        with_bound.push(("le", bound));
        let _ = writeln!(text, "{name}_bucket{} {calls}", labels(&with_bound));
    }
    let labels = labels(own);
    let _ = writeln!(text, "{name}_sum{labels} {sum}");
    let _ = writeln!(text, "{name}_count{labels} {count}");
}

fn labels(labels: &[(&'static str, String)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value, true)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

/// Escapes backslashes and line ends; with `quoted`, which label values need, also quotation marks.
fn escaped(text: &str, quoted: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\\' => safe.push_str("\\\\"),
            '\n' => safe.push_str("\\n"),
            '"' if quoted => safe.push_str("\\\""),
            char => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use pintrace_events::Started;
    use pintrace_events::units::{Nanos, Pid};
    use pintrace_model::snapshot::{Balance, Process, SubsystemTotals};
    use pintrace_model::subsystem::Subsystem;

    fn snapshot() -> Snapshot {
        let started = Started {
            tool: "0.1.0 \"quoted\\\n".to_owned(),
            wall_ns: 1_700_000_000_500_000_000,
            ..Started::default()
        };
        Snapshot {
            duration: Nanos(1_500_000_000),
            started: Arc::new(started),
            balance: Balance {
                vmstat_readable: true,
                vmstat_held: 3,
                unaccounted: -17,
                ..Balance::default()
            },
            loss: vec![("ring_full", 2)],
            subsystems: vec![SubsystemTotals {
                subsystem: Subsystem::Vfio,
                pages_held: 512,
                bytes_held: 2_097_152,
                acquired: 600,
                released: 88,
            }],
            processes: vec![Arc::new(Process {
                pid: Pid(1),
                comm: "unbounded".to_owned(),
                pages_held: 512,
                oldest_since: Some(Nanos(1_250_000_000)),
                ..Process::default()
            })]
            .into(),
            time: Nanos(91_500_000_000),
            ..Snapshot::default()
        }
    }

    #[test]
    fn samples_carry_their_labels() {
        let text = render(&snapshot());
        for line in [
            "# TYPE pintrace_held_bytes gauge",
            "pintrace_held_bytes{subsystem=\"vfio\"} 2097152",
            "pintrace_held_pages{subsystem=\"io_uring\"} 0",
            "pintrace_acquired_pages_total{subsystem=\"vfio\"} 600",
            "pintrace_vmstat_held_pages 3",
            "pintrace_unaccounted_pages -17",
            "pintrace_lost_total{stage=\"kernel\",reason=\"ring_full\"} 2",
            "pintrace_holding_processes 1",
            "pintrace_oldest_pin_age_seconds 90.25",
            "pintrace_start_timestamp_seconds 1700000000.5",
            "pintrace_last_sample_timestamp_seconds 1700000002",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}\n{text}");
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let text = render(&snapshot());
        assert!(
            text.contains(r#"pintrace_build_info{version="0.1.0 \"quoted\\\n"} 1"#),
            "{text}"
        );
    }

    #[test]
    fn each_series_appears_once_and_has_help_and_type() {
        let text = render(&snapshot());
        let series: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(series, _)| series)
            .collect();
        let unique: BTreeSet<&&str> = series.iter().collect();
        assert_eq!(unique.len(), series.len());
        for series in series {
            let name = series.split('{').next().unwrap();
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        }
    }

    #[test]
    fn the_number_of_series_does_not_grow_with_the_processes() {
        let one = snapshot();
        let mut many = one.clone();
        many.processes = (0..1000)
            .map(|pid| {
                Arc::new(Process {
                    pid: Pid(pid),
                    ..Process::clone(&one.processes[0])
                })
            })
            .collect();
        assert_eq!(render(&one).lines().count(), render(&many).lines().count());
        assert!(!render(&many).contains("unbounded"));
    }

    #[test]
    fn metrics_of_an_unreadable_vmstat_are_left_out() {
        let mut snapshot = snapshot();
        snapshot.balance.vmstat_readable = false;
        assert!(!render(&snapshot).contains("pintrace_vmstat"));
        assert!(!render(&snapshot).contains("pintrace_unaccounted"));
    }
}
