//! Registrations that the kernel refuses after it has pinned pages.

use crate::session::{exclusive, root, run};

#[test]
fn the_pins_of_a_refused_registration_are_in_vmstat() {
    if !root() {
        return;
    }
    let _alone = exclusive();
    for (case, errno, pages) in [
        ("memlock", Some("ENOMEM"), 128),
        ("efault", Some("EFAULT"), 80),
        ("quiet", None, 128),
    ] {
        // pinload itself compares the counters of /proc/vmstat.
        let (output, lines) = run(&format!("refused {case} --calls 2"));
        assert!(output.status.success(), "{lines:#?}");
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert_eq!(lines[0]["errno"].as_str(), errno);
        assert_eq!(
            lines[0]["expected_pins"],
            serde_json::json!({"acquired": pages, "held": 0, "released": pages})
        );
    }
}
