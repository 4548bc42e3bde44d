//! The owners of one huge page: the checkpoints, and the order in which owners end.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::session::{command, exclusive, file, root, skipped};

/// Runs all steps up to `most` owners. Returns `None` if this system has no huge pages or no direct I/O.
fn play(most: u32, seed: u32) -> Option<Vec<Value>> {
    let mut command = command(&format!("holder one-folio --most {most} --seed {seed} --file"));
    command
        .arg(file("one-folio.dat"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut pinload = command.spawn().unwrap();
    let mut input = pinload.stdin.take().unwrap();
    // A line for each wait. The pipe breaks if pinload ends early.
    let _ = input.write_all(&b"\n".repeat(100));
    drop(input);
    let output = pinload.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    if output.status.code() == Some(3) {
        skipped(lines[0]["what"].as_str().unwrap());
        return None;
    }
    assert!(output.status.success(), "{text}");
    Some(lines)
}

fn checkpoints(lines: &[Value]) -> Vec<&Value> {
    let lines = lines.iter();
    lines.filter(|line| line["event"] == "checkpoint").collect()
}

#[test]
fn the_number_of_owners_grows_and_shrinks_in_the_same_steps() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let Some(lines) = play(20, 1) else {
        return;
    };
    let checkpoints = checkpoints(&lines);
    let owners: Vec<_> = checkpoints
        .iter()
        .map(|line| line["owners"].as_u64().unwrap())
        .collect();
    assert_eq!(owners, [1, 2, 5, 10, 20, 10, 5, 2, 1, 0]);
    for line in &checkpoints {
        let held = line["held"].as_array().unwrap();
        assert_eq!(held.len() as u64, line["owners"].as_u64().unwrap());
        let has_tid = |owner: &Value| owner["tid"].is_u64() == (owner["kind"] == "thread");
        assert!(held.iter().all(has_tid), "{line}");
    }
    let full = checkpoints[4]["held"].as_array().unwrap();
    for kind in ["ring", "thread"] {
        let count = full.iter().filter(|owner| owner["kind"] == kind).count();
        assert!(count >= 5, "{kind}: {count} of 20");
    }
    let measured = lines.iter().filter(|line| line["event"] == "measured");
    assert_eq!(measured.count(), checkpoints.len());
}

#[test]
fn the_seed_determines_the_order_in_which_owners_end() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let (Some(one), Some(same), Some(other)) = (play(20, 1), play(20, 1), play(20, 2)) else {
        return;
    };
    // The pages of the owners that are left, relative to the huge page.
    let left = |lines: &[Value]| {
        let held = checkpoints(lines)[5]["held"].as_array().unwrap().clone();
        let pages = held
            .iter()
            .map(|owner| owner["address"].as_u64().unwrap() / 4096 % 512);
        pages.collect::<Vec<_>>()
    };
    assert_eq!(left(&one), left(&same));
    assert_ne!(left(&one), left(&other));
}
