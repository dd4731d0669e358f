//! A recovery key made by the stock `age-keygen`, and a backup of one home.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use age::secrecy::SecretString;
use age::{Decryptor, Encryptor, scrypt};
use serde_json::Value;

use support::home::{Home, PASSPHRASE, Ran, openssl_verifies, run};

/// What the restored identity is locked with.
pub(crate) const NEW: &str = "another horse, another battery";

pub(crate) struct Drill {
    pub(crate) key: PathBuf,
    pub(crate) recipient: String,
    pub(crate) backup: PathBuf,
}

impl Drill {
    /// A recovery key beside a home, and the name of a backup to come.
    pub(crate) fn new(home: &Home) -> Self {
        let key = home.beside("recovery.key");
        let recipient = new_key(&key);
        Self { key, recipient, backup: home.beside("node.age") }
    }

    pub(crate) fn backup_args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let base = ["id", "backup", "--recipient", &self.recipient, "-o", text(&self.backup)];
        [&base[..], more].concat()
    }

    pub(crate) fn restore_args<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let base = ["id", "restore", text(&self.backup), "--identity-file", text(&self.key)];
        [&base[..], more].concat()
    }

    /// Makes the backup; what is said of it shows nothing of what is in it.
    pub(crate) fn make(&self, home: &Home) -> String {
        let ran = home.icnctl(&self.backup_args(&[]), b"");
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        self.says_nothing_secret(&ran);
        ran.out
    }

    /// Runs, and sees that nothing secret is said.
    pub(crate) fn run(&self, home: &Home, args: &[&str]) -> Ran {
        let ran = home.icnctl(args, b"");
        self.says_nothing_secret(&ran);
        ran
    }

    pub(crate) fn ok(&self, home: &Home, more: &[&str]) -> String {
        let ran = self.run(home, &self.restore_args(more));
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        ran.out
    }

    pub(crate) fn fails(&self, home: &Home, more: &[&str], texts: &[&str]) -> Ran {
        let ran = home.fails(&self.restore_args(more), b"", texts);
        self.says_nothing_secret(&ran);
        ran
    }

    /// What is in the backup, by the stock tool.
    pub(crate) fn plain(&self) -> Vec<u8> {
        age_decrypts(&self.key, &self.backup)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.plain()).unwrap()
    }

    /// Another text in the place of the backup, encrypted to the same recipient
    /// by the stock tool, as anybody can.
    pub(crate) fn put(&self, plain: &[u8]) {
        let _ = std::fs::remove_file(&self.backup);
        let mut age = Command::new("age");
        let ran = run(age.args(["-r", &self.recipient, "-o", text(&self.backup)]), plain);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }

    pub(crate) fn says_nothing_secret(&self, ran: &Ran) {
        let mut secrets = vec![PASSPHRASE.to_owned(), NEW.into()];
        let key = std::fs::read_to_string(&self.key).unwrap_or_default();
        secrets.extend(key.lines().filter(|line| line.starts_with("AGE-SECRET")).map(Into::into));
        if self.backup.exists() && !key.is_empty() {
            let payload = &self.json()["contents"]["payload"];
            for secret in ["/seed", "/x25519_secret", "/tls/private_key"] {
                secrets.extend(payload.pointer(secret).map(|v| v.as_str().unwrap().to_owned()));
            }
            assert!(secrets.len() >= 5);
        }
        for secret in secrets {
            assert!(!ran.out.contains(&secret) && !ran.err.contains(&secret), "{secret}");
        }
    }
}

/// `age-keygen`; gives the recipient.
pub(crate) fn new_key(path: &Path) -> String {
    let made = run(Command::new("age-keygen").args(["-o", text(path)]), b"");
    assert_eq!(made.code, 0, "install age: {}", made.err);
    let public = run(Command::new("age-keygen").args(["-y", text(path)]), b"");
    public.out.trim().to_owned()
}

pub(crate) fn age_decrypts(key: &Path, file: &Path) -> Vec<u8> {
    let output = Command::new("age").args(["-d", "-i"]).arg(key).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The whole home is gone.
pub(crate) fn lose(home: &Home) {
    std::fs::remove_dir_all(home.path("")).unwrap();
}

/// What is in `identity.age` of a software identity.
pub(crate) fn payload(home: &Home, passphrase: &str) -> Value {
    let file = std::fs::read(home.path("identity.age")).unwrap();
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(20);
    let decryptor = Decryptor::new_buffered(&file[..]).unwrap();
    let mut plain = Vec::new();
    let identity: &dyn age::Identity = &identity;
    decryptor.decrypt(std::iter::once(identity)).unwrap().read_to_end(&mut plain).unwrap();
    serde_json::from_slice(&plain).unwrap()
}

/// Puts another payload there.
pub(crate) fn put_payload(home: &Home, passphrase: &str, payload: &Value) {
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
    recipient.set_work_factor(10);
    let recipient: &dyn age::Recipient = &recipient;
    let encryptor = Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
    let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
    writer.write_all(payload.to_string().as_bytes()).unwrap();
    std::fs::write(home.path("identity.age"), writer.finish().unwrap()).unwrap();
}

/// Signs as this DID; OpenSSL verifies.
pub(crate) fn signs_as(home: &Home, did: &Value) {
    let signature = home.ok(&["sign"], b"hello");
    let shown = home.show();
    assert_eq!(shown["did"], *did);
    let key = shown["public_key"]["hex"].as_str().unwrap();
    let beside = home.beside("");
    assert!(openssl_verifies(&beside, key, b"hello", signature.trim()));
    assert!(!openssl_verifies(&beside, key, b"hullo", signature.trim()));
}

/// Every file below the home, with its content; but for the lock, which names
/// the process that had it last.
pub(crate) fn everything(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(home.path("")) else { return Vec::new() };
    let mut all: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with(".lock"))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}
