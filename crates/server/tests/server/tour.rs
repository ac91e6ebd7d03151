//! The tour of the README, run as it stands there on a fresh data folder.

use std::{path::Path, process::Command};

#[test]
fn the_tour_of_the_readme_works() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new("bash")
        .arg(root.join("scripts/tour.sh"))
        .current_dir(folder.path())
        .env("STOA_BIN", env!("CARGO_BIN_EXE_stoa"))
        .output()
        .unwrap();
    let (told, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{told}\n{complained}", output.status);
}
