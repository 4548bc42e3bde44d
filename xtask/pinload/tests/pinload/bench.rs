//! Repeated operations and their time.

use crate::session::{run, shared};

#[test]
fn each_operation_is_repeated_as_often_as_asked() {
    let _together = shared();
    for operation in [
        "anonymous-fault",
        "cow-fault",
        "map-touch-unmap",
        "discard-touch",
        "protect-pair",
        "system-call",
        "fork",
    ] {
        let (output, lines) = run(&format!("bench {operation} --operations 3"));
        assert!(output.status.success(), "{lines:#?}");
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0]["event"], "measured");
        assert_eq!(lines[0]["workload"], operation);
        assert_eq!(lines[0]["operations"], 3);
        assert!(lines[0]["elapsed_ns"].as_u64() > Some(0), "{lines:#?}");
        assert!(lines[0]["longest_ns"].is_null(), "{lines:#?}");
    }
}

#[test]
fn an_operation_is_repeated_while_a_command_runs() {
    let _together = shared();
    let (output, lines) = run("bench system-call -- sleep 0.1");
    assert!(output.status.success(), "{lines:#?}");
    let elapsed = lines[0]["elapsed_ns"].as_u64().unwrap();
    let longest = lines[0]["longest_ns"].as_u64().unwrap();
    assert!(longest > 0 && longest <= elapsed, "{lines:#?}");
    let (output, _) = run("bench system-call -- sh no-such-file");
    assert_eq!(output.status.code(), Some(1));
    let (output, _) = run("bench system-call --operations 0");
    assert_eq!(output.status.code(), Some(2));
}
