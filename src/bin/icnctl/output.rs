//! What commands print: a result on standard output, in the format that was
//! asked for, and remarks on standard error.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use icn_identity::VerifyingKey;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::CliError;
use crate::here;
use crate::safe;
pub(crate) use crate::safe::one_line;
use crate::standard;

/// What every command can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Format {
    /// Prints a result. What is foreign in the text is made one line before.
    pub(crate) fn print(
        self,
        json: impl FnOnce() -> Value,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        match self {
            Self::Text => print(&text()),
            Self::Json => print_json(&json()),
        }
    }
}

/// A public key in each form that other software reads.
pub(crate) fn public_key(key: &VerifyingKey) -> Value {
    json!({
        "hex": hex(key.as_bytes()),
        "multibase": key.to_multibase(),
        "openssh": key.to_openssh(),
        "pem": key.to_public_key_pem(),
        "jwk": serde_json::from_str::<Value>(&key.to_jwk()).unwrap_or_default(),
    })
}

/// Prints a text, whatever format was asked for.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    standard::print(&safe::lines(&here::commands(text)))
}

/// Prints a secret in one line, of which no copy is made.
#[cfg(all(feature = "tpm", feature = "attestation"))]
pub(crate) fn print_secret(line: &str) -> Result<(), CliError> {
    standard::print(line)?;
    standard::print("\n")
}

/// Prints JSON, whatever format was asked for.
pub(crate) fn print_json(value: &Value) -> Result<(), CliError> {
    standard::print(&safe::json(&format!("{:#}\n", here::commands_in(value))))
}

/// Says something on standard error. Where it has several lines, the others
/// are set in: none of them looks like one of ours.
pub(crate) fn say(text: &str) {
    complain(&safe::escaped(&here::commands(text), "\n    "));
}

/// Gives advice, whose lines are ours.
pub(crate) fn advise(text: &str) {
    complain(&format!("  try: {}", safe::lines(&here::commands(text))));
}

/// That nobody can hear it is no reason to stop (`eprintln!` would panic).
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn date(unix: u64) -> String {
    i64::try_from(unix)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|date| date.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{unix} (Unix time)"))
}
