//! A project outside of this workspace, as a user would write it: its own manifest and
//! lock, a path to this crate, and each set of features.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use support::cargo::cargo;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Ours, so that what was built for this workspace is not built once more.
fn profiles() -> String {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    manifest[manifest.find("[profile.dev]").unwrap()..].to_owned()
}

/// Every feature, so that it is built for all these projects once.
pub(crate) const ALL: &str = "\"pkcs11\", \"tpm\", \"tls\", \"audit\", \"cli\", \"signature\", \"tokio\", \
     \"client\", \"daemon\", \"attestation\"";

/// A project with this crate, and what else it depends on, and this `lib.rs`.
pub(crate) fn project(name: &str, dependency: &str, source: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("consumer").join(name);
    fs::create_dir_all(directory.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"consumer-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n[dependencies]\n{dependency}\n\n{}",
        profiles()
    );
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    fs::write(directory.join("src/lib.rs"), source).unwrap();
    directory
}

/// `cargo check` of it.
pub(crate) fn check(directory: &Path) -> Command {
    let mut cargo = cargo();
    cargo.current_dir(directory).args(["check", "--offline"]);
    cargo.arg("--target-dir").arg(directory.join("../../.."));
    cargo
}

#[test]
fn a_project_outside_builds_with_each_set_of_features() {
    let ours = root().display().to_string();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, features) = manifest.split_once("[features]\n").unwrap();
    let (features, _) = features.split_once("\n[").unwrap();
    for line in features.lines().filter(|line| line.contains(" = [")) {
        let (name, _) = line.split_once(' ').unwrap();
        let is_there = ["default", "keystore"].contains(&name) || ALL.contains(name);
        assert!(is_there, "the feature {name} is in no set");
    }
    for (name, options, source) in [
        ("none", ", default-features = false".into(), include_str!("consumer/none.rs")),
        ("default", String::new(), include_str!("consumer/default.rs")),
        ("all", format!(", features = [{ALL}]"), include_str!("consumer/all.rs")),
    ] {
        let dependency = format!("icn-identity = {{ path = {ours:?}{options} }}");
        let directory = project(name, &dependency, source);
        let output = check(&directory).arg("--quiet").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
    }
}

/// Else each run of the tests builds ring again, and all that stands on it, and so does the
/// next cargo after it.
#[test]
fn cargo_is_started_by_tests_as_from_a_shell() {
    let told: Vec<String> = env::vars().map(|(name, _)| name).collect();
    let told = told.iter().filter(|name| name.starts_with("CARGO_PKG_"));
    let cargo = cargo();
    let removed: Vec<&str> = cargo
        .get_envs()
        .filter(|(_, value)| value.is_none())
        .filter_map(|(name, _)| name.to_str())
        .collect();
    assert!(removed.contains(&"CARGO_MANIFEST_DIR"), "{removed:?}");
    for name in told {
        assert!(removed.contains(&name.as_str()), "{name} is passed on");
    }
    let mut others = vec![];
    for directory in ["tests", "compile-fail/tests", "benches"] {
        find(&root().join(directory), &mut others);
    }
    assert!(others.is_empty(), "these start cargo without `support::cargo::cargo`: {others:?}");
}

fn find(directory: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            find(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("src/cargo.rs") {
            let text = fs::read_to_string(&path).unwrap();
            // In two pieces: this file does not start one.
            if text.contains(concat!("env!(\"", "CARGO\")"))
                || text.contains(concat!("\"CAR", "GO\""))
            {
                found.push(path);
            }
        }
    }
}
