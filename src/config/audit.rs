//! `[audit]`: where it is written down who had the key do what.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Config;
use super::pkcs11::is_false;
use crate::encoding::objects::object_only;

/// `[audit]`
///
/// Key uses and refusals are written wherever there is a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditConfig {
    /// The log. A relative path begins in the home. Without it, a daemon writes
    /// `audit.log` in the home, and other programs write that file where it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Whether a daemon writes down also what needs no key: who asked for its status,
    /// the DID document, the chain of rotations (default false).
    #[serde(skip_serializing_if = "is_false")]
    pub log_all_operations: bool,
}

/// As it is read.
#[derive(Deserialize)]
#[serde(remote = "AuditConfig", deny_unknown_fields, default = "AuditConfig::default")]
struct Fields {
    path: Option<PathBuf>,
    log_all_operations: bool,
}

object_only!(AuditConfig as Fields);

impl AuditConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Config {
    /// The audit log that is configured, in `[audit]` or as nodes of ICN had it (`audit_log`
    /// in `[identity.pkcs11]`). A relative path begins in the home.
    #[must_use]
    pub fn audit_path(&self) -> Option<&PathBuf> {
        let of_token = || self.identity.pkcs11.as_ref()?.audit_log.as_ref();
        self.audit.path.as_ref().or_else(of_token)
    }

    /// Whether what needs no key is written down as well, by `log_all_operations` in
    /// `[audit]` or in `[identity.pkcs11]`.
    #[must_use]
    pub fn logs_all_operations(&self) -> bool {
        let of_token = || self.identity.pkcs11.as_ref().is_some_and(|it| it.log_all_operations);
        self.audit.log_all_operations || of_token()
    }

    /// Whether two places name two logs.
    pub(super) fn names_two_logs(&self) -> bool {
        let of_token = self.identity.pkcs11.as_ref().and_then(|it| it.audit_log.as_ref());
        self.audit.path.as_ref().zip(of_token).is_some_and(|(one, other)| one != other)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::ConfigError;
    use super::*;

    #[test]
    fn the_log_is_named_in_its_table_or_as_nodes_of_icn_do() {
        let token = "[identity.pkcs11]\nmodule = \"/m.so\"\n";
        for (text, path, all) in [
            ("", None, false),
            ("[audit]\npath = \"audit.log\"\n", Some("audit.log"), false),
            ("[audit]\nlog_all_operations = true\n", None, true),
            (
                &format!("{token}audit_log = \"/a.log\"\nlog_all_operations = true\n"),
                Some("/a.log"),
                true,
            ),
            (
                &format!("{token}audit_log = \"/a.log\"\n[audit]\npath = \"/a.log\"\n"),
                Some("/a.log"),
                false,
            ),
        ] {
            let config = Config::parse(text).unwrap();
            assert_eq!(config.audit_path().map(PathBuf::as_path), path.map(Path::new), "{text}");
            assert_eq!(config.logs_all_operations(), all, "{text}");
        }
    }

    #[test]
    fn two_logs_are_refused_and_so_is_what_is_no_field() {
        let token = "[identity.pkcs11]\nmodule = \"/m.so\"\naudit_log = \"/a.log\"\n";
        let error = Config::parse(&format!("{token}[audit]\npath = \"/b.log\"\n")).unwrap_err();
        assert!(matches!(error, ConfigError::TwoAuditLogs), "{error}");
        assert!(error.help().unwrap().contains("audit_log"));
        let error = Config::parse("[audit]\nenabled = false\n").unwrap_err().to_string();
        assert!(error.contains("line 2: unknown field `enabled`"), "{error}");
    }
}
