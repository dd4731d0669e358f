//! `icn.toml`: which backend, and which identity is expected.
//!
//! ```toml
//! [identity]
//! backend = "pkcs11"              # age (default) | pkcs11 | tpm
//! did = "did:icn:z…"              # pinned by `icnctl id init`
//!
//! [identity.age]
//! work_factor = 18                # log2 of scrypt's N, for writing
//! max_work_factor = 20            # limit for reading
//!
//! [identity.pkcs11]
//! module = "/usr/lib/softhsm/libsofthsm2.so"
//! token = "node-1"                # CK_TOKEN_INFO.label
//! serial = "0123abcd"             # pinned by `icnctl id init`
//! key = "pkcs11:token=node-1;…"   # the same and more, as an RFC 7512 URI
//! key_label = "icn-identity"      # CKA_LABEL of a new key
//! sessions = 4                    # most sessions in the pool (default: cores)
//! verify_after_sign = true
//! allow_final_try = false
//!
//! [identity.tpm]
//! device_path = "/dev/tpmrm0"     # or "swtpm:host=127.0.0.1,port=2321"
//! key_handle = 0x81000001         # persistent storage key (default: made anew each time)
//! parent_name = "000b…"           # its Name, pinned by `icnctl id init`
//! platform_binding = true         # bind new keys to PCRs
//! pcr_bank = "sha256"             # sha1 | sha256 | sha384 | sha512
//! pcr_indices = "0,7"             # or [0, 7]; default 7
//! pin = true                      # whether a new key has a PIN; never the PIN
//! policy = "literal"              # or "authorized": an approver can sign other PCR values
//! approver = "approver.pem"       # the approver's public key, for a new key
//! pin_work_factor = 17            # log2 of scrypt's N, for the PIN
//! allow_final_try = false
//! ```
//!
//! The file is trusted (it names a library to load), so it must belong to root
//! or to the user and be writable by nobody else. PINs and passphrases are
//! never in it: unknown fields are refused.

mod tpm;

use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use self::tpm::{PcrIndices, PcrPolicy, TpmConfig};
use crate::backend::{BackendConfig, BackendKind, Pkcs11Uri};
use crate::did::Did;
use crate::fault::KeystoreError;
use crate::file;

/// The part of `icn.toml` that this crate reads. Other top-level tables belong
/// to other programs and are left alone.
#[derive(Debug, Clone, Default, Deserialize)]
#[non_exhaustive]
pub struct Config {
    /// `[identity]`
    #[serde(default)]
    pub identity: IdentityConfig,
}

/// `[identity]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IdentityConfig {
    /// Where the key is.
    #[serde(default)]
    pub backend: BackendKind,
    /// The DID that is expected; another one is refused.
    pub did: Option<Did>,
    /// `[identity.age]`
    #[serde(default)]
    pub age: AgeConfig,
    /// `[identity.pkcs11]`
    pub pkcs11: Option<Pkcs11Config>,
    /// `[identity.tpm]`
    pub tpm: Option<TpmConfig>,
}

/// `[identity.age]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct AgeConfig {
    /// log2 of scrypt's work for new files (default 18, about a second).
    pub work_factor: u8,
    /// log2 of the work that a file may ask for when it is read (default 20).
    pub max_work_factor: u8,
}

impl Default for AgeConfig {
    fn default() -> Self {
        Self { work_factor: 18, max_work_factor: 20 }
    }
}

/// `[identity.pkcs11]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pkcs11Config {
    /// Absolute path of the PKCS#11 module.
    pub module: PathBuf,
    /// Label of the token.
    pub token: Option<String>,
    /// Serial number of the token.
    pub serial: Option<String>,
    /// RFC 7512 URI of the token, or of the key on it. Beside `token` and
    /// `serial`, all must agree.
    pub key: Option<Pkcs11Uri>,
    /// Slot number; only where neither label nor serial will do. Slot numbers
    /// change when tokens are added.
    pub slot: Option<u64>,
    /// `CKA_LABEL` of a new key (default `icn-identity`).
    pub key_label: Option<String>,
    /// Most sessions that sign at the same time (default: one for each core,
    /// within what the token says it has).
    pub sessions: Option<NonZeroU16>,
    /// Whether a signature is verified before it is given out (default true).
    #[serde(default = "yes")]
    pub verify_after_sign: bool,
    /// Whether a PIN may be sent when the token says that one try is left.
    #[serde(default)]
    pub allow_final_try: bool,
}

const fn yes() -> bool {
    true
}

impl Pkcs11Config {
    /// A module, with everything else left to its default.
    #[must_use]
    pub fn new(module: impl Into<PathBuf>) -> Self {
        Self {
            module: module.into(),
            token: None,
            serial: None,
            key: None,
            slot: None,
            key_label: None,
            sessions: None,
            verify_after_sign: true,
            allow_final_try: false,
        }
    }

    /// The token of this label.
    #[must_use]
    pub fn with_token(mut self, label: impl Into<String>) -> Self {
        self.token = Some(label.into());
        self
    }

    /// The token of this serial number.
    #[must_use]
    pub fn with_serial(mut self, serial: impl Into<String>) -> Self {
        self.serial = Some(serial.into());
        self
    }

    /// The token, or the key on it, that a URI names.
    #[must_use]
    pub fn with_key(mut self, key: Pkcs11Uri) -> Self {
        self.key = Some(key);
        self
    }

    /// At most this many sessions that sign at the same time.
    #[must_use]
    pub const fn with_sessions(mut self, sessions: NonZeroU16) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Whether a PIN may be sent when one try is left.
    #[must_use]
    pub const fn with_allow_final_try(mut self, allow: bool) -> Self {
        self.allow_final_try = allow;
        self
    }

    /// Whether signatures are verified before they are given out.
    #[must_use]
    pub const fn with_verify_after_sign(mut self, verify: bool) -> Self {
        self.verify_after_sign = verify;
        self
    }
}

impl Config {
    /// Reads the text of an `icn.toml`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml_edit::de::from_str(text).map_err(|error| parse_error(text, &error))?;
        let age = &config.identity.age;
        if !(10..=22).contains(&age.work_factor) || age.max_work_factor < age.work_factor {
            return Err(ConfigError::WorkFactor {
                work_factor: age.work_factor,
                max_work_factor: age.max_work_factor,
            });
        }
        if let Some(pkcs11) = &config.identity.pkcs11
            && let Some(key) = &pkcs11.key
            && key.module_path().is_some_and(|path| path != pkcs11.module)
        {
            return Err(ConfigError::TwoModules);
        }
        config.identity.tpm.as_ref().map_or(Ok(()), TpmConfig::check)?;
        Ok(config)
    }

    /// Reads a file; one that does not exist is the default configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it cannot be read, or could have been written by
    /// somebody else.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        match file::read_trusted(path) {
            Ok(Some(text)) => Self::parse(&text),
            Ok(None) => Ok(Self::default()),
            Err(error) => Err(ConfigError::File(error)),
        }
    }

    /// The backend that is configured, for an identity in `home`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoPkcs11Section`] if it is `pkcs11` and says nothing more.
    pub fn backend(&self, home: &Path) -> Result<BackendConfig, ConfigError> {
        match self.identity.backend {
            BackendKind::Age => {
                Ok(BackendConfig::Age { home: home.to_owned(), config: self.identity.age.clone() })
            }
            BackendKind::Pkcs11 => {
                let config = self.identity.pkcs11.clone().ok_or(ConfigError::NoPkcs11Section)?;
                Ok(BackendConfig::Pkcs11(Box::new(config)))
            }
            BackendKind::Tpm => {
                let config = self.identity.tpm.clone().unwrap_or_default();
                Ok(BackendConfig::Tpm { home: home.to_owned(), config: Box::new(config) })
            }
        }
    }
}

/// Why `icn.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration cannot be used")]
    File(#[source] KeystoreError),
    /// The text is not valid.
    #[error("the configuration is not valid: line {line}: {problem}")]
    Parse {
        /// The line, from 1.
        line: usize,
        /// What is wrong there. Never a value: somebody may have put a PIN
        /// there.
        problem: String,
    },
    /// Backend `pkcs11` without its section.
    #[error("backend is \"pkcs11\", but there is no [identity.pkcs11] with a module")]
    NoPkcs11Section,
    /// `[identity.tpm]` says what cannot be, or protects nothing.
    #[error("[identity.tpm] is not valid: {problem}")]
    Tpm {
        /// What is wrong.
        problem: &'static str,
    },
    /// `module` and the `module-path` of `key` differ.
    #[error("`module` and the `module-path` of `key` name two modules")]
    TwoModules,
    /// The work factor is out of range.
    #[error(
        "work_factor {work_factor} (10 to 22) or max_work_factor {max_work_factor} is out of range"
    )]
    WorkFactor {
        /// For writing.
        work_factor: u8,
        /// For reading.
        max_work_factor: u8,
    },
}

impl ConfigError {
    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::File(error) => return error.help(),
            Self::Parse { .. } => {
                "correct the line; the documentation of `icn_identity::config` lists every field. \
                 PINs and passphrases never go into this file"
            }
            Self::NoPkcs11Section => {
                "add [identity.pkcs11] with module = \"/path/of/the/module.so\" and token = \"label\""
            }
            Self::Tpm { .. } => "correct [identity.tpm]; docs/backends/tpm.md explains each field",
            Self::TwoModules => "take the `module-path` out of `key`",
            Self::WorkFactor { .. } => "use work_factor = 18 and max_work_factor = 20",
        };
        Some(help.to_owned())
    }
}

/// The parser's own message shows the line, with whatever secret somebody put
/// there against the rules.
fn parse_error(text: &str, error: &toml_edit::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let message = error.message();
    // None of these repeats a value.
    let names_fields_only =
        ["unknown field", "missing field", "duplicate key", "invalid pkcs11 URI"]
            .iter()
            .any(|start| message.starts_with(start));
    let problem =
        if names_fields_only { message } else { "this value or syntax is not valid here" };
    ConfigError::Parse { line: before.matches('\n').count() + 1, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_put_into_the_file_is_refused_and_not_repeated() {
        for text in [
            "[identity]\nbackend = \"pkcs11\"\n[identity.pkcs11]\nmodule = \"/m.so\"\npin = \"98765432\"\n",
            "[identity.pkcs11]\nmodule = \"/m.so\"\nslot = \"98765432\"\n",
            "[identity]\ndid = \"98765432\"\n",
            "[identity.pkcs11]\nmodule = \"/m.so\"\nkey = \"pkcs11:?pin-value=98765432\"\n",
            "[identity.age]\nwork_factor = 98765432\n",
            "98765432",
        ] {
            let error = Config::parse(text).unwrap_err();
            let shown = format!("{error} {error:?} {:?}", error.help());
            assert!(!shown.contains("98765432"), "{shown}");
            assert!(shown.contains("line "), "{shown}");
        }
    }

    #[test]
    fn an_unknown_field_is_named_with_its_line() {
        let error = Config::parse("[identity]\n\nbakend = \"age\"\n").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("line 3: unknown field `bakend`"), "{text}");
    }

    #[test]
    fn tables_of_other_programs_are_left_alone() {
        let config = Config::parse("[network]\nport = 1\n").unwrap();
        assert_eq!(config.identity.backend, BackendKind::Age);
        assert_eq!(config.identity.age.work_factor, 18);
    }

    #[test]
    fn work_factors_out_of_range_are_refused() {
        for text in ["work_factor = 9", "work_factor = 23", "work_factor = 21"] {
            let error = Config::parse(&format!("[identity.age]\n{text}\n")).unwrap_err();
            assert!(matches!(error, ConfigError::WorkFactor { .. }), "{error}");
        }
    }
}
