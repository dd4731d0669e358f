//! OpenSSH's `ssh-keygen -Y`, as somebody else's verifier and signer.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Whether `ssh-keygen` takes an armored signature for this context and message, by a
/// public key as in `authorized_keys`.
pub fn verifies(public: &str, context: &str, message: &[u8], signature: &str) -> bool {
    let who = "node@coop.example";
    verifies_of(&format!("{who} {public}\n"), who, context, message, signature)
}

/// The same, by a file of allowed signers, as the signature of one of them.
pub fn verifies_of(
    allowed: &str,
    who: &str,
    context: &str,
    message: &[u8],
    signature: &str,
) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("signature"), signature).unwrap();
    std::fs::write(at("allowed"), allowed).unwrap();
    let output = run(
        &["-Y", "verify", "-I", who, "-n", context, "-f"],
        &[&at("allowed"), Path::new("-s"), &at("signature")],
        message,
    );
    output.status.success()
}

/// What `ssh-keygen -l` says of a file with a public key: length, fingerprint, comment, type.
pub fn fingerprint(public: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), public).unwrap();
    let output = run(&["-l", "-f"], &[file.path()], b"");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Signs with the Ed25519 key that a seed and its public key are, which are brought into the
/// format of OpenSSH (PROTOCOL.key): its versions before 9.6 read no PKCS#8 of such keys.
pub fn signs_with(seed: &[u8], public: &[u8], context: &str, message: &[u8]) -> String {
    let strings = |fields: &[&[u8]]| -> Vec<u8> {
        let encoded = fields.iter().flat_map(|field| {
            let length = u32::try_from(field.len()).unwrap().to_be_bytes();
            [&length[..], field].concat()
        });
        encoded.collect()
    };
    let number = |number: u32| number.to_be_bytes();
    let mut private = [number(7), number(7)].concat();
    private.extend(strings(&[b"ssh-ed25519", public, &[seed, public].concat(), b""]));
    private.extend((1..).take(private.len().next_multiple_of(8) - private.len()));
    let key = [
        &b"openssh-key-v1\0"[..],
        &strings(&[b"none", b"none", b""]),
        &number(1),
        &strings(&[&strings(&[b"ssh-ed25519", public]), &private]),
    ]
    .concat();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let body = STANDARD.encode(key);
    let body: Vec<&str> =
        body.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    crate::home::write_private(
        &path,
        &format!(
            "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END OPENSSH PRIVATE KEY-----\n",
            body.join("\n")
        ),
    );
    let signed = run(&["-Y", "sign", "-n", context, "-f"], &[&path], message);
    assert!(signed.status.success(), "{signed:?}");
    String::from_utf8(signed.stdout).unwrap()
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
