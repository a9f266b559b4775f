//! The rule for skipping, seen from outside: tests that run tests.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};
use wavetile_testing::running::Folder;

/// Needs data, for the tests below.
#[test]
#[ignore = "run by the tests of this file"]
fn that_needs_data() {
    let Some(path) = wavetile_testing::shared("testdata/no such file") else { return };
    panic!("{} is there", path.display());
}

/// Needs an adapter, for the tests below.
#[test]
#[ignore = "run by the tests of this file"]
fn that_needs_an_adapter() {
    wavetile_testing::skip_adapter("the driver says no");
}

/// Runs one of them with its output captured.
fn run(test: &str, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for name in ["CI", "WAVETILE_SHARED", "WAVETILE_SKIPPED"] {
        command.env_remove(name);
    }
    command.args(["--exact", test, "--ignored"]).envs(environment.iter().copied()).output().unwrap()
}

/// A folder that looks like the shared test data.
fn data() -> Folder {
    let folder = Folder::new("skipping");
    std::fs::create_dir(folder.join("testdata")).unwrap();
    folder
}

#[test]
fn a_skipped_test_passes_and_is_said_past_the_capture_and_in_the_list() {
    let data = data();
    let (shared, list) = (data.to_path_buf(), data.join("skipped"));
    for test in ["that_needs_data", "that_needs_an_adapter", "that_needs_data"] {
        let output = run(
            test,
            &[("WAVETILE_SHARED", shared.to_str().unwrap()), ("WAVETILE_SKIPPED", list.to_str().unwrap())],
        );
        assert!(output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with(&format!("skipped: {test} (")), "{said}");
        assert!(said.contains("skipping.rs:") && said.contains(" needs "), "{said}");
    }
    let list = std::fs::read_to_string(&list).unwrap();
    assert_eq!(list.lines().count(), 3);
    assert!(list.starts_with("that_needs_data (") && list.contains("no such file"), "{list}");
    assert!(list.contains("the driver says no"), "{list}");
}

#[test]
fn nothing_skips_in_ci_that_should_be_there() {
    let data = data();
    let shared = data.to_path_buf();
    for folder in [shared.to_str().unwrap(), "/nowhere"] {
        let output = run("that_needs_data", &[("CI", "true"), ("WAVETILE_SHARED", folder)]);
        assert!(!output.status.success(), "{folder}");
    }
    assert!(!run("that_needs_an_adapter", &[("CI", "1")]).status.success());
    for no in ["", "false"] {
        assert!(run("that_needs_an_adapter", &[("CI", no)]).status.success());
    }
}
