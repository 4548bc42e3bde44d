//! The check of sums that the guest tests apply to every document can fail.

#[path = "support/sums.rs"]
mod sums;

use serde_json::{Value, json};
use sums::{disagreements, disagreements_of_metrics};

/// A document of a quiet moment, whose sums agree.
fn document() -> Value {
    json!({
        "balance": {
            "ledger_acquired": 30, "ledger_released": 20, "ledger_held": 10, "preexisting_attributed": 4,
            "in_flight": 0, "reconciled": 0,
        },
        "loss": {"name_unread": 1},
        "subsystems": {
            "io_uring": {"acquired": 10, "released": 5, "pages_held": 9},
            "direct_io": {"acquired": 20, "released": 15, "pages_held": 5},
        },
        "processes": [
            {"acquired": 30, "released": 20, "pages_held": 10, "acquired_per_second": 0.0, "released_per_second": 0.0},
            {"acquired": null, "released": null, "pages_held": 4, "acquired_per_second": null},
        ],
    })
}

fn after(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut document = document();
    change(&mut document);
    disagreements(&document)
}

#[test]
fn sums_that_agree_pass() {
    assert_eq!(disagreements(&document()), Vec::<String>::new());
}

#[test]
fn a_page_of_no_process_is_found() {
    let found = after(|document| document["processes"][0]["pages_held"] = 9.into());
    assert_eq!(
        found,
        [
            "pages_held: the processes have 13, the subsystems 14",
            "pages_held: the processes have 13, the ledger 14",
        ]
    );
}

#[test]
fn a_page_of_no_subsystem_is_found() {
    let found = after(|document| document["subsystems"]["io_uring"]["released"] = 4.into());
    assert_eq!(found, ["released: the processes have 20, the subsystems 19"]);
}

#[test]
fn a_page_that_the_ledger_lacks_is_found() {
    let found = after(|document| document["balance"]["ledger_acquired"] = 29.into());
    assert_eq!(found, ["acquired: the processes have 30, the ledger 29"]);
}

#[test]
fn the_ledger_is_not_compared_while_pages_move_or_after_a_correction() {
    let exceptions: [fn(&mut Value); 4] = [
        |document| document["balance"]["in_flight"] = 1.into(),
        |document| document["processes"][0]["released_per_second"] = json!(0.5),
        |document| document["loss"]["recursion_missed"] = 1.into(),
        |document| document["balance"]["reconciled"] = 1.into(),
    ];
    for exception in exceptions {
        let found = after(|document| {
            document["balance"]["ledger_held"] = 11.into();
            exception(document);
        });
        assert_eq!(found, Vec::<String>::new());
        let found = after(|document| {
            document["subsystems"]["io_uring"]["pages_held"] = 8.into();
            exception(document);
        });
        assert_eq!(found, ["pages_held: the processes have 14, the subsystems 13"]);
    }
}

#[test]
fn metrics_with_more_pages_than_the_ledger_are_found() {
    let metrics = |pages: u32| {
        format!(
            "pintrace_held_pages{{subsystem=\"io_uring\"}} {pages}\npintrace_held_pages{{subsystem=\"rdma\"}} 5\n\
             pintrace_ledger_held_pages 10\npintrace_preexisting_held_pages 4\npintrace_lost_total{{reason=\"x\"}} 0\n"
        )
    };
    assert_eq!(disagreements_of_metrics(&metrics(9)), Vec::<String>::new());
    assert_eq!(
        disagreements_of_metrics(&metrics(10)),
        ["the subsystems hold 15 pages, the ledger 14"]
    );
}
