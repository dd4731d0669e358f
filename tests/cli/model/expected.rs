//! What must be there: whose keys sign, by which credential, and which files there are.

use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Age,
    Token,
    Tpm,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Token => "pkcs11",
            Self::Tpm => "tpm",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Rotate,
    Import,
}

impl Mode {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Import => "import",
        }
    }
}

/// One identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) did: String,
    pub(super) kind: Kind,
    /// The number of the passphrase, or of the PIN of a TPM: a token has one.
    pub(super) secret: usize,
    /// The number of the label that its token had when it was written down.
    pub(super) label: usize,
    /// Of a key on a token: told from another one of the same DID.
    pub(super) key: usize,
    /// It has made a statement, and no second one is made.
    pub(super) handed_over: bool,
}

#[derive(Debug, Clone)]
pub(super) struct BackedUp {
    pub(super) file: PathBuf,
    pub(super) of: Identity,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) now: Option<Identity>,
    /// The old one, while a move is not ended.
    pub(super) old: Option<(Identity, Mode)>,
    pub(super) backups: Vec<BackedUp>,
    /// Keys that are on the token, by their numbers.
    pub(super) on_token: Vec<usize>,
    /// The number of the label that the tokens have.
    pub(super) label: usize,
    /// Of passphrases and PINs that were given so far, and of keys.
    pub(super) secrets: usize,
    pub(super) keys: usize,
}

impl Model {
    pub(super) fn next_secret(&mut self) -> usize {
        self.secrets += 1;
        self.secrets
    }

    pub(super) fn next_key(&mut self) -> usize {
        self.keys += 1;
        self.keys
    }

    /// A key was made, or written into its device.
    pub(super) fn made(&mut self, kind: Kind) {
        if kind == Kind::Token {
            self.on_token.push(self.keys);
        }
    }

    /// Its token has let go of the key of an identity.
    pub(super) fn destroyed(&mut self, identity: &Identity) {
        if identity.kind == Kind::Token {
            self.on_token.retain(|key| *key != identity.key);
        }
    }

    /// Whether a backup must restore: of a key in a file always, and of one on a token as long as it
    /// is there and found.
    pub(super) fn restores(&self, backup: &BackedUp) -> bool {
        match backup.of.kind {
            Kind::Age | Kind::Tpm => true,
            Kind::Token => self.on_token.contains(&backup.of.key) && backup.of.label == self.label,
        }
    }

    /// The files of the home, but for locks, and what may be left of wrong PINs.
    pub(super) fn files(&self) -> Vec<&'static str> {
        let Some(now) = &self.now else { return Vec::new() };
        let mut files = vec!["icn.toml", "identity.age", "identity.json"];
        if now.handed_over {
            files.push("handed-over.json");
        }
        if self.old.is_some() {
            files.extend(["migration.json", "previous"]);
        }
        files
    }
}
