//! OpenSSH's `ssh-keygen -Y`, as somebody else's verifier and signer.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Whether `ssh-keygen` takes an armored signature for this context and message, by a
/// public key as in `authorized_keys`.
pub fn verifies(public: &str, context: &str, message: &[u8], signature: &str) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("signature"), signature).unwrap();
    std::fs::write(at("allowed"), format!("node@coop.example {}\n", public)).unwrap();
    let output = run(
        &["-Y", "verify", "-I", "node@coop.example", "-n", context, "-f"],
        &[&at("allowed"), Path::new("-s"), &at("signature")],
        message,
    );
    output.status.success()
}

/// Makes a key of this type and signs with it; gives its public key's line, too.
pub fn signs(key_type: &str, context: &str, message: &[u8]) -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    let made = run(&["-q", "-t", key_type, "-N", "", "-f"], &[&key], b"");
    assert!(made.status.success(), "{made:?}");
    let signed = run(&["-Y", "sign", "-n", context, "-f"], &[&key], message);
    assert!(signed.status.success(), "{signed:?}");
    let line = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    (line, String::from_utf8(signed.stdout).unwrap())
}

fn run(arguments: &[&str], paths: &[&Path], input: &[u8]) -> Output {
    let mut child = Command::new("ssh-keygen")
        .args(arguments)
        .args(paths)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ssh-keygen is there");
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}
