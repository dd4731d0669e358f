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
//! init_args = "configdir='…'"     # for a module that wants parameters (NSS)
//! token = "node-1"                # CK_TOKEN_INFO.label
//! serial = "0123abcd"             # pinned by `icnctl id init`
//! key = "pkcs11:token=node-1;…"   # the same and more, as an RFC 7512 URI
//! key_label = "icn-identity"      # CKA_LABEL of a new key
//! sessions = 4                    # most sessions in the pool (default: cores)
//! verify_after_sign = true
//! allow_final_try = false
//! allow_unnoted_try = false       # where no disk takes the note of a try
//! trust_key_history = true        # false: keys are device-held at most
//! assurance_at_most = "claimed"   # soft-token | remote-service | unstated | claimed
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
//! allow_unnoted_try = false       # where no disk takes the note of a try
//!
//! [audit]
//! path = "/var/log/icn/audit.log" # who had the key do what
//!
//! [daemon]                        # of `icnd`
//! socket = "/run/icnd/icnd.sock"
//!
//! [[daemon.client]]               # who may have what done; nobody else
//! name = "payments"
//! uid = 1001
//! may = ["sign"]
//! contexts = ["payments@coop.example"]
//! rate = "100/s"
//! ```
//!
//! The file is trusted (it names a library to load), so it must belong to root
//! or to the user and be writable by nobody else. PINs and passphrases are
//! never in it: unknown fields are refused.

mod age;
mod audit;
mod client_problem;
mod daemon;
mod error;
mod explain;
mod fields;
mod lines;
mod pkcs11;
mod template;
mod text;
mod tpm;
mod twice;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::age::AgeConfig;
pub use self::audit::AuditConfig;
pub use self::client_problem::ClientProblem;
pub use self::daemon::{
    ClientRule, ContextPattern, DaemonConfig, MOST_INSTANCES, Owner, Permission, Rate, RatePeriod,
    SocketMode, TlsPeers,
};
pub use self::error::ConfigError;
use self::error::parse_error;
use self::explain::line_of;
pub use self::explain::{Explained, ExplainedTable, Setting, Stranger};
pub use self::pkcs11::Pkcs11Config;
pub(crate) use self::text::{ConfigText, for_backup, set, table};
pub use self::tpm::{PcrIndices, PcrPolicy, TpmConfig};
use crate::did::Did;
use crate::encoding::objects::object_only;
use crate::encoding::text::after_mark_of;
use crate::evidence::Assurance;
use crate::file;
use crate::locator::BackendKind;

/// The part of `icn.toml` that this crate reads. Other top-level tables belong
/// to other programs and are left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Config {
    /// `[identity]`
    pub identity: IdentityConfig,
    /// `[daemon]`
    #[serde(skip_serializing_if = "DaemonConfig::is_default")]
    pub daemon: DaemonConfig,
    /// `[audit]`
    #[serde(skip_serializing_if = "AuditConfig::is_default")]
    pub audit: AuditConfig,
}

/// `[identity]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct IdentityConfig {
    /// Where the key is.
    pub backend: BackendKind,
    /// The DID that is expected; another one is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
    /// `[identity.age]`
    #[serde(skip_serializing_if = "AgeConfig::is_default")]
    pub age: AgeConfig,
    /// `[identity.pkcs11]`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pkcs11: Option<Pkcs11Config>,
    /// `[identity.tpm]`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm: Option<TpmConfig>,
}

/// As they are read.
mod read {
    use super::*;

    #[derive(Deserialize)]
    #[serde(remote = "Config")]
    pub(super) struct Whole {
        #[serde(default)]
        identity: IdentityConfig,
        #[serde(default)]
        daemon: DaemonConfig,
        #[serde(default)]
        audit: AuditConfig,
    }

    #[derive(Deserialize)]
    #[serde(remote = "IdentityConfig", deny_unknown_fields)]
    pub(super) struct Identity {
        #[serde(default)]
        backend: BackendKind,
        did: Option<Did>,
        #[serde(default)]
        age: AgeConfig,
        pkcs11: Option<Pkcs11Config>,
        tpm: Option<TpmConfig>,
    }
}

object_only!(Config as read::Whole, IdentityConfig as read::Identity);

impl Config {
    /// Reads the text of an `icn.toml`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with the line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let text = after_mark_of(text);
        let config =
            text.parse().and_then(|toml: toml_edit::de::Deserializer| Self::deserialize(toml));
        let config = config.map_err(|error| parse_error(text, &error))?;
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
        if let Some(pkcs11) = &config.identity.pkcs11
            && pkcs11.assurance_at_most == Assurance::None
        {
            return Err(ConfigError::NoAssurance);
        }
        config.identity.tpm.as_ref().map_or(Ok(()), TpmConfig::check)?;
        if config.names_two_logs() {
            return Err(ConfigError::TwoAuditLogs);
        }
        config.daemon.check().map_err(|problem| {
            let field = problem.split('`').nth(1).unwrap_or_default();
            ConfigError::Daemon { line: line_of(text, "daemon", Some(field)), problem }
        })?;
        config.daemon.check_clients().map_err(|(number, problem)| {
            let table = format!("daemon.client[{}]", number - 1);
            ConfigError::Client { number, line: line_of(text, &table, None), problem }
        })?;
        Ok(config)
    }

    /// **Blocks** on files. Reads a file; one that does not exist is the default
    /// configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it cannot be read, or could have been written by
    /// somebody else.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::read(path)?.map_or_else(|| Ok(Self::default()), |text| Self::parse(&text))
    }

    /// The text of a file, if there is one.
    pub(crate) fn read(path: &Path) -> Result<Option<String>, ConfigError> {
        file::read_trusted(path).map_err(ConfigError::File)
    }
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

    /// Every value but the one that says of a token that there is none.
    #[test]
    fn a_token_is_taken_for_at_most_what_is_written() {
        let parse = |value| {
            let text =
                format!("[identity.pkcs11]\nmodule = \"/m\"\nassurance_at_most = \"{value}\"");
            Config::parse(&text).map(|config| config.identity.pkcs11.unwrap().assurance_at_most)
        };
        for value in ["soft-token", "remote-service", "unstated", "claimed"] {
            assert_eq!(parse(value).unwrap().as_str(), value);
        }
        assert!(matches!(parse("none"), Err(ConfigError::NoAssurance)));
        assert!(parse("attested").unwrap_err().to_string().contains("line 3"));
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
