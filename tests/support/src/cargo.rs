//! Cargo from within a test, as from a shell.

use std::process::Command;

/// The cargo that built the tests, which builds what it finds built.
///
/// Cargo tells a test of its package by variables. A build script that reads one of them
/// (ring's does) would run again because of it, and all that stands on it would be built
/// again: now, and once more by the next cargo outside. So none of them is passed on.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_of_a_test) {
            cargo.env_remove(name);
        }
    }
    cargo
}

fn is_of_a_test(name: &str) -> bool {
    const STARTS: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"];
    STARTS.iter().any(|start| name.starts_with(start)) || name == "LD_LIBRARY_PATH"
}
