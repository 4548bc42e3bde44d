//! The churn of holders: its checkpoints, and the ends of its processes.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::errno::Errno;
use nix::libc;
use serde_json::Value;

use crate::refusal::refuse;
use crate::session::{command, exclusive, is_alive, root, run, wait_for};

fn pids(list: &Value) -> BTreeSet<i32> {
    let pids = list.as_array().unwrap().iter();
    pids.map(|pid| i32::try_from(pid.as_i64().unwrap()).unwrap())
        .collect()
}

#[test]
fn a_checkpoint_has_the_rings_of_the_workers() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let (output, lines) = run("holder churn --rings 40");
    assert!(output.status.success(), "{lines:#?}");
    // The input is at its end, so there is one checkpoint.
    assert_eq!(lines.len(), 1, "{lines:#?}");
    let (line, pool) = (&lines[0], pids(&lines[0]["pids"]));
    assert_eq!(line["event"], "checkpoint");
    // The first of 20 checkpoints follows one or two of 40 rings.
    assert!((1..=2).contains(&line["opened"].as_u64().unwrap()), "{line}");
    let rings = line["rings"].as_array().unwrap();
    let pages = rings.iter().map(|ring| ring["pages"].as_u64().unwrap());
    assert_eq!(pages.sum::<u64>(), line["total"].as_u64().unwrap());
    for ring in rings {
        let pids = pids(&ring["pids"]);
        assert!(!pids.is_empty() && pids.is_subset(&pool), "{line}");
    }
    assert!(!pool.into_iter().any(is_alive), "{line}");
}

#[test]
fn a_seed_repeats_the_operations() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let pages = |seed| {
        let (_, lines) = run(&format!("holder churn --seed {seed}"));
        let rings = lines[0]["rings"].as_array().unwrap().clone();
        let pages: Vec<_> = rings.into_iter().map(|ring| ring["pages"].clone()).collect();
        pages
    };
    assert_eq!(pages(5), pages(5));
    assert_ne!(pages(5), pages(6));
}

#[test]
fn the_workers_of_a_killed_churn_die_and_their_children_too() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    let mut command = command("holder churn");
    let mut pinload = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(pinload.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let pool = pids(&serde_json::from_str::<Value>(&line).unwrap()["pids"]);
    // There are 8 workers.
    assert!(pool.len() > 8 && pool.iter().all(|&pid| is_alive(pid)), "{line}");
    pinload.kill().unwrap();
    pinload.wait().unwrap();
    assert!(wait_for(|| !pool.iter().any(|&pid| is_alive(pid))), "{line}");
}

#[test]
fn a_refused_call_of_a_worker_ends_the_churn() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    for (call, argument, error, code, what) in [
        (
            libc::SYS_io_uring_setup,
            None,
            Errno::ENOSYS,
            3,
            "cannot create an io_uring",
        ),
        (
            libc::SYS_io_uring_register,
            Some(1),
            Errno::EPERM,
            1,
            "cannot remove the buffers",
        ),
        (libc::SYS_sendmsg, None, Errno::EPERM, 1, "cannot send a message"),
        (
            libc::SYS_recvmsg,
            None,
            Errno::EPERM,
            1,
            "cannot receive a message",
        ),
    ] {
        let mut command = command("holder churn");
        refuse(&mut command, call, argument, error);
        let output = command.stderr(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(first["what"].as_str().unwrap().starts_with(what), "{text}");
    }
}
