//! Where a passphrase or PIN comes from: a file, the environment, a prompt.
//! Never the command line, where every process can read it.

use std::path::Path;

use icn_identity::backend::BackendKind;
use icn_identity::keystore::{Credentials, read_credential};
use icn_identity::{Passphrase, Pin};
use secrecy::{ExposeSecret as _, SecretString};

use crate::context::Context;
use crate::error::CliError;

/// What is asked for, and under which names it can be given.
struct Asked {
    what: &'static str,
    flag: &'static str,
    variable: &'static str,
}

const PASSPHRASE: Asked =
    Asked { what: "passphrase", flag: "--passphrase-file", variable: "ICN_PASSPHRASE" };
const PIN: Asked = Asked { what: "PIN", flag: "--pin-file", variable: "ICN_PIN" };

impl Context {
    /// The credentials that open an identity of this backend. `token` names
    /// the token in the prompt.
    pub(crate) fn credentials(
        &self,
        kind: BackendKind,
        token: Option<&str>,
        wants_passphrase: bool,
    ) -> Result<Credentials, CliError> {
        let mut credentials = Credentials::default();
        if kind == BackendKind::Pkcs11 {
            let prompt = format!("PIN of token {}: ", token.unwrap_or("(any)"));
            let pin = self.ask(&PIN, self.pin_file.as_deref(), &prompt, None)?;
            credentials = Credentials::pin(Pin::from(pin));
        }
        if kind == BackendKind::Age || wants_passphrase {
            credentials = credentials.and_passphrase(self.passphrase("Passphrase: ", None)?);
        }
        Ok(credentials)
    }

    /// A new passphrase: typed twice at a prompt, and never empty.
    pub(crate) fn new_passphrase(&self) -> Result<Passphrase, CliError> {
        self.passphrase("New passphrase: ", Some("Again: "))
    }

    fn passphrase(&self, prompt: &str, again: Option<&str>) -> Result<Passphrase, CliError> {
        let file = self.passphrase_file.as_deref();
        Ok(Passphrase::from(self.ask(&PASSPHRASE, file, prompt, again)?))
    }

    fn ask(
        &self,
        asked: &Asked,
        file: Option<&Path>,
        prompt: &str,
        again: Option<&str>,
    ) -> Result<SecretString, CliError> {
        let secret = match (file, std::env::var_os(asked.variable)) {
            (Some(file), _) => read_credential(file)?,
            (None, Some(value)) => value
                .into_string()
                .map(SecretString::from)
                .map_err(|_| CliError::NotUtf8 { variable: asked.variable })?,
            (None, None) => at_prompt(asked, prompt, again)?,
        };
        if secret.expose_secret().is_empty() {
            return Err(CliError::Empty { what: asked.what });
        }
        Ok(secret)
    }
}

/// On the terminal itself, so that a message can come on standard input.
fn at_prompt(asked: &Asked, prompt: &str, again: Option<&str>) -> Result<SecretString, CliError> {
    let read = |prompt: &str| {
        rpassword::prompt_password(prompt).map(SecretString::from).map_err(|source| {
            CliError::NoCredential {
                what: asked.what,
                flag: asked.flag,
                variable: asked.variable,
                source,
            }
        })
    };
    let secret = read(prompt)?;
    if let Some(again) = again
        && !Passphrase::from(read(again)?).ct_eq(&Passphrase::from(secret.clone()))
    {
        return Err(CliError::Differ { what: asked.what });
    }
    Ok(secret)
}
