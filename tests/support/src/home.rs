//! A home directory for one test, and `icnctl` on it.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::der;

pub const PASSPHRASE: &str = "correct horse battery staple";

/// `[identity.age]` with scrypt work that tests can afford.
pub const FAST: &str = "[identity.age]\nwork_factor = 10\n";

pub struct Home {
    dir: TempDir,
    variables: Vec<(String, String)>,
    /// Another `icnctl` than the one of the tests.
    program: Option<PathBuf>,
}

#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Home {
    pub fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap(), variables: Vec::new(), program: None };
        std::fs::create_dir(home.path("")).unwrap();
        home.chmod("", 0o700);
        home.write("icn.toml", FAST);
        home
    }

    /// With a variable in every command's environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// With another `icnctl`, as one with fewer features.
    pub fn by(self, program: PathBuf) -> Self {
        Self { program: Some(program), ..self }
    }

    /// A file of the identity.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("home").join(name)
    }

    /// A file beside the identity.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
        self.chmod(name, 0o600);
    }

    pub fn chmod(&self, name: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(name), permissions).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program.as_ref().map_or_else(icnctl, Command::new);
        command
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ICN_HOME", self.path(""))
            .envs(self.variables.iter().cloned());
        command
    }

    pub fn icnctl(&self, args: &[&str], stdin: &[u8]) -> Ran {
        run(&mut self.command(args), stdin)
    }

    /// Runs and expects success; gives standard output.
    pub fn ok(&self, args: &[&str], stdin: &[u8]) -> String {
        let ran = self.icnctl(args, stdin);
        assert_eq!(ran.code, 0, "icnctl {args:?}: {}", ran.err);
        ran.out
    }

    /// Runs and expects exit code 1 with each of `texts` on standard error.
    pub fn fails(&self, args: &[&str], stdin: &[u8], texts: &[&str]) -> Ran {
        self.fails_with(1, args, stdin, texts)
    }

    /// Is not what the command takes.
    pub fn misuses(&self, args: &[&str], stdin: &[u8], texts: &[&str]) -> Ran {
        self.fails_with(2, args, stdin, texts)
    }

    /// Fails for a wrong PIN or passphrase, which has an exit code of its own.
    pub fn refused(&self, args: &[&str], stdin: &[u8], texts: &[&str]) -> Ran {
        self.fails_with(77, args, stdin, texts)
    }

    fn fails_with(&self, code: i32, args: &[&str], stdin: &[u8], texts: &[&str]) -> Ran {
        let ran = self.icnctl(args, stdin);
        assert_eq!(ran.code, code, "icnctl {args:?}: {} {}", ran.out, ran.err);
        for text in texts {
            assert!(ran.err.contains(text), "wanted {text:?} in:\n{}", ran.err);
        }
        assert!(!ran.err.contains(PASSPHRASE), "{}", ran.err);
        assert!(ran.out.is_empty(), "{}", ran.out);
        ran
    }

    pub fn show(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok(&["--format", "json", "id", "show"], b"")).unwrap()
    }

    /// Changes one field of the header (JSON pointer) by hand.
    pub fn edit_header(&self, pointer: &str, value: serde_json::Value) {
        let mut header: serde_json::Value =
            serde_json::from_str(&self.read("identity.json")).unwrap();
        *header.pointer_mut(pointer).unwrap() = value;
        self.write("identity.json", &serde_json::to_string_pretty(&header).unwrap());
    }
}

/// `icnctl`, which cargo has built for the tests or benches of this process.
pub fn icnctl() -> Command {
    // They are in `deps`, it is beside that.
    let ours = std::env::current_exe().unwrap();
    let icnctl = ours.ancestors().nth(2).unwrap().join("icnctl");
    assert!(icnctl.exists(), "{} was not built: --features cli", icnctl.display());
    Command::new(icnctl)
}

pub fn run(command: &mut Command, stdin: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    // A program that fails early does not read its input.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    Ran {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// Runs a program on a terminal of its own and types the lines into it, each when it is
/// asked for: what is typed before is thrown away. What ends by Ctrl-D is typed at once.
pub fn on_a_terminal(command: &Command, lines: &str) -> Ran {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut script = Command::new("script");
    script.args([
        "--quiet",
        "--return",
        "--echo",
        "never",
        "--command",
        &words.join(" "),
        "/dev/null",
    ]);
    // What the tests' own caller has set is none of theirs.
    for name in ["ICN_HOME", "ICN_PASSPHRASE", "ICN_PIN", "ICN_RECOVERY_PASSPHRASE"] {
        script.env_remove(name);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    if lines.is_empty() || lines.ends_with('\u{4}') {
        return run(&mut script, lines.as_bytes());
    }
    let mut child =
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take(), child.stdout.take().unwrap());
    let (mut lines, mut seen) = (lines.split_inclusive('\n'), Vec::new());
    let mut bytes = [0; 4096];
    while let Ok(length) = stdout.read(&mut bytes)
        && length > 0
    {
        seen.extend(&bytes[..length]);
        if is_a_prompt(&seen) {
            // The end of the input, where nothing more is to be typed.
            match lines.next() {
                Some(line) => stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap(),
                None => drop(stdin.take()),
            }
        }
    }
    drop(stdin);
    let code = child.wait().unwrap().code().unwrap_or(-1);
    Ran { code, out: String::from_utf8(seen).unwrap(), err: String::new() }
}

/// What is said in passing comes in pieces, and one may end as a prompt does.
fn is_a_prompt(seen: &[u8]) -> bool {
    let line = seen.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let said: [&[u8]; 4] = [b"warning:", b"error:", b"  try:", b"  because:"];
    line.ends_with(b": ") && !said.iter().any(|begin| line.starts_with(begin))
}

/// Verifies with OpenSSL, from nothing but the public key in hex: raw Ed25519,
/// or a compressed P-256 point.
pub fn openssl_verifies(dir: &Path, public_hex: &str, message: &[u8], signature: &str) -> bool {
    let pairs = public_hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let key: Vec<u8> = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
    let is_p256 = key.len() == 33;
    let ed25519 = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];
    let spki = if is_p256 { der::p256_spki(&key) } else { [&ed25519[..], &key].concat() };
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    std::fs::write(file("key.der"), spki).unwrap();
    std::fs::write(file("message"), message).unwrap();
    std::fs::write(file("signature.b64"), signature).unwrap();
    let decoded = run(
        Command::new("openssl").args([
            "base64",
            "-d",
            "-A",
            "-in",
            &file("signature.b64"),
            "-out",
            &file("signature"),
        ]),
        b"",
    );
    assert_eq!(decoded.code, 0, "{}", decoded.err);
    let digest: &[&str] = if is_p256 { &["-digest", "sha256"] } else { &[] };
    if is_p256 {
        let raw = std::fs::read(file("signature")).unwrap();
        std::fs::write(file("signature"), der::ecdsa_signature(&raw)).unwrap();
    }
    let verified = run(
        Command::new("openssl")
            .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER"])
            .args(digest)
            .args([
                "-inkey",
                &file("key.der"),
                "-in",
                &file("message"),
                "-sigfile",
                &file("signature"),
            ]),
        b"",
    );
    verified.code == 0
}

/// A file that holds a credential.
/// As the machine calls a user.
pub fn name_of(user: u32) -> String {
    let done = Command::new("id").args(["-nu", &user.to_string()]).output().unwrap();
    assert!(done.status.success(), "no user {user}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

pub fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let _ = std::fs::remove_file(path);
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
