//! Why `icn.toml` cannot be used.

use super::client_problem::ClientProblem;
use super::fields::{ASSURANCES, expected_at};
use super::twice::{Twice, twice};
use crate::fault::KeystoreError;
use crate::kind::{ErrorKind, explain};

/// Why `icn.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration cannot be used")]
    File(#[source] KeystoreError),
    /// A table, or a key of one, is there twice.
    #[error(
        "the configuration is not valid: line {line}: {what} is there already, in line {first}"
    )]
    Twice {
        /// The line of the second one, from 1.
        line: usize,
        /// The line of the first one.
        first: usize,
        /// `[daemon]`, or `tls in [daemon]`.
        what: String,
    },
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
    /// `[daemon]` says what cannot be.
    #[error("[daemon] is not valid{}: {problem}", at(*line))]
    Daemon {
        /// The line, from 1, of the field that is wrong.
        line: Option<usize>,
        /// What is wrong, beginning with the field.
        problem: &'static str,
    },
    /// A `[[daemon.client]]` says what cannot be meant.
    #[error("[[daemon.client]] number {number} is not valid{}: {problem}", at(*line))]
    Client {
        /// Which one, in the order of the file, from 1.
        number: usize,
        /// The line, from 1, that it begins in.
        line: Option<usize>,
        /// What is wrong.
        problem: ClientProblem,
    },
    /// A value cannot be written as TOML.
    #[error("a value of the configuration cannot be written as text")]
    NotText,
    /// Something stands where a table has to be.
    #[error("[identity], [daemon] or [audit], or a table in it, is not a table")]
    NotATable,
    /// `module` and the `module-path` of `key` differ.
    #[error("`module` and the `module-path` of `key` name two modules")]
    TwoModules,
    /// `path` in `[audit]` and `audit_log` in `[identity.pkcs11]` differ.
    #[error("`path` in [audit] and `audit_log` in [identity.pkcs11] name two audit logs")]
    TwoAuditLogs,
    /// `assurance_at_most` is `none`, which no token is.
    #[error("`assurance_at_most` is \"none\", but a token is a device")]
    NoAssurance,
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

explain!(ConfigError);

impl ConfigError {
    /// What it means for the program.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Parse { .. }
            | Self::Twice { .. }
            | Self::NoPkcs11Section
            | Self::Tpm { .. }
            | Self::Daemon { .. }
            | Self::Client { .. }
            | Self::NoAssurance
            | Self::NotATable
            | Self::TwoModules
            | Self::TwoAuditLogs
            | Self::WorkFactor { .. } => ErrorKind::Configuration,
            Self::NotText => ErrorKind::InvalidInput,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::File(error) => return error.help(),
            Self::Parse { .. } => {
                "correct the line: docs/configuration.md lists every field with what it takes and \
                 its default. PINs and passphrases never go into this file"
            }
            Self::Twice { what, first, .. } if what.starts_with('[') => {
                return Some(format!(
                    "write the keys of {what} below line {first}, and take its second header out"
                ));
            }
            Self::Twice { .. } => "keep one of both, and take the other line out",
            Self::NoPkcs11Section => {
                "add [identity.pkcs11] with module = \"/path/of/the/module.so\" and token = \"label\""
            }
            Self::Tpm { .. } => {
                "correct it; docs/configuration.md lists every field of [identity.tpm]"
            }
            Self::Daemon { .. } => {
                "correct the line; docs/configuration.md lists every field of [daemon] with what it \
                 takes"
            }
            Self::Client { problem, .. } => problem.advice(),
            Self::NoAssurance => {
                return Some(format!(
                    "set assurance_at_most to {ASSURANCES}; the first is the least"
                ));
            }
            Self::NotText => "use paths that are UTF-8, and slot numbers below 2^63",
            Self::NotATable => {
                "write [identity], [identity.pkcs11] and so on as tables, as in docs/configuration.md"
            }
            Self::TwoAuditLogs => "take `audit_log` out of [identity.pkcs11]",
            Self::TwoModules => "take the `module-path` out of `key`",
            Self::WorkFactor { .. } => "use work_factor = 18 and max_work_factor = 20",
        };
        Some(help.to_owned())
    }
}

/// The parser's own message shows the line, with whatever secret somebody put
/// there against the rules. So the field is named, and what it takes.
pub(super) fn parse_error(text: &str, error: &toml_edit::de::Error) -> ConfigError {
    if error.message().starts_with("duplicate key")
        && let Some(place) = error.span().map(|span| span.start)
        && let Some(Twice { line, first, what }) = twice(text, place)
    {
        return ConfigError::Twice { line, first, what };
    }
    let place = error.span().map(|span| span.start);
    let before = place.and_then(|place| text.get(..place)).unwrap_or_default();
    let message = error.message();
    // None of these repeats a value.
    let names_fields_only =
        ["unknown field", "missing field", "duplicate key", "invalid pkcs11 URI"]
            .iter()
            .any(|start| message.starts_with(start));
    let problem = match place.and_then(|place| expected_at(text, place)) {
        _ if message.starts_with("missing field `module`") => {
            format!("{message}, the absolute path of the PKCS#11 library")
        }
        Some((field, takes)) if message.starts_with("invalid pkcs11 URI") => {
            format!("{message}; `{}` takes {takes}", last(field))
        }
        _ if names_fields_only => message.to_owned(),
        Some((field, takes)) => {
            format!("this value or syntax is not valid here: `{}` takes {takes}", last(field))
        }
        None => "this value or syntax is not valid here: it is not TOML".to_owned(),
    };
    ConfigError::Parse { line: before.matches('\n').count() + 1, problem }
}

/// ` in line 3`, where it is known.
fn at(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(" in line {line}"))
}

/// Of `identity.tpm.pin`: `pin`.
fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
