//! Tests of the file of a report.

use crate::cmd::check::file::ReportFile;

#[test]
fn a_report_file_changes_only_when_a_report_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    std::fs::write(&old, "a long report of yesterday").unwrap();
    drop((ReportFile::open(&old).unwrap(), ReportFile::open(&new).unwrap()));
    assert_eq!(
        std::fs::read_to_string(&old).unwrap(),
        "a long report of yesterday"
    );
    assert!(!new.exists());
    for path in [old, new] {
        ReportFile::open(&path).unwrap().write("short").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "short");
    }
}
