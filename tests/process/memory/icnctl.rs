//! The command line, with the allocator that users have.

use std::fs;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::probe::{expect_in, icnctl};
use super::secret::text;
use super::software::patterns_of;

/// What Linux keeps of a pipe.
const FULL: usize = 64 * 1024;

/// A pipe into which nothing more can be written.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[b' '; FULL]).unwrap();
    (reader, writer)
}

/// Waits until the process waits for a pipe to be read.
fn wait_until_it_writes(process: u32) {
    let start = Instant::now();
    loop {
        let waits = fs::read_to_string(format!("/proc/{process}/wchan")).unwrap();
        if waits.contains("pipe_write") {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it waits in {waits:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn while_icnctl_signs_its_key_alone_is_in_memory_once() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(home.join("icn.toml"), "[identity.age]\nwork_factor = 10\n").unwrap();
    let (passphrase, file) = (text(), dir.path().join("passphrase"));
    fs::write(&file, &passphrase).unwrap();
    for file in [home.join("icn.toml"), file.clone()] {
        fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    }
    let command = |arguments: &[&str]| -> Command {
        let mut command = icnctl();
        command.env_clear().env("ICN_HOME", &home).arg("--passphrase-file").arg(&file);
        command.args(arguments);
        command
    };
    let made = command(&["id", "init"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let patterns = patterns_of(&home, &passphrase);

    // It has signed, and cannot say so.
    let (mut reader, writer) = full_pipe();
    let mut child = command(&["sign"]).stdin(Stdio::null()).stdout(writer).spawn().unwrap();
    wait_until_it_writes(child.id());
    // Neither the passphrase nor another key is kept once the key is open.
    expect_in(child.id(), &patterns, "sign", &["seed", "seed scalar", "seed prefix"]);
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(out.trim().len() >= 86, "{out}");
}
