//! Where a passphrase or PIN comes from: a file, the environment, a prompt.
//! Never the command line, where every process can read it.

use std::path::Path;

use icn_identity::backend::{Backend, BackendKind, Description, PinState};
use icn_identity::error::{Pkcs11Error, TpmError};
use icn_identity::keystore::{
    CredentialSource, Credentials, Header, IdentityStore, Located, Needs, read_credential,
};
use icn_identity::secret::LockedText;
use icn_identity::{Passphrase, Pin};
use secrecy::SecretString;

use crate::context::{Context, Part};
use crate::error::CliError;
use crate::output::{one_line, say};

/// What is asked for, and under which names it can be given.
struct Asked {
    what: &'static str,
    flag: &'static str,
    variable: &'static str,
}

impl Asked {
    /// Of the one identity of a command, or of the successor, whose credentials
    /// are in no variable.
    const fn passphrase(part: Part) -> Self {
        match part {
            Part::Successor => {
                Self { flag: "--successor-passphrase-file", variable: "", ..PASSPHRASE }
            }
            Part::Only | Part::Old => PASSPHRASE,
        }
    }

    const fn pin(part: Part) -> Self {
        match part {
            Part::Successor => Self { flag: "--successor-pin-file", variable: "", ..PIN },
            Part::Only | Part::Old => PIN,
        }
    }

    /// Where it will come from.
    fn source(&self, file: Option<&Path>) -> CredentialSource {
        let variable = Some(self.variable).filter(|name| !name.is_empty());
        match (file, variable.and_then(std::env::var_os)) {
            (Some(file), _) => CredentialSource::File(file.to_owned()),
            (None, Some(_)) => CredentialSource::Variable(self.variable.into()),
            (None, None) => CredentialSource::Prompt,
        }
    }
}

const PASSPHRASE: Asked =
    Asked { what: "passphrase", flag: "--passphrase-file", variable: "ICN_PASSPHRASE" };
const RECOVERY: Asked = Asked {
    what: "passphrase of the recovery key",
    flag: "--identity-passphrase-file",
    variable: "ICN_RECOVERY_PASSPHRASE",
};
const PIN: Asked = Asked { what: "PIN", flag: "--pin-file", variable: "ICN_PIN" };

/// Credentials, and where the PIN among them came from.
pub(crate) struct Given {
    pub(crate) credentials: Credentials,
    pin: Option<(String, CredentialSource)>,
}

impl Given {
    pub(crate) fn and_passphrase(mut self, passphrase: Passphrase) -> Self {
        self.credentials = self.credentials.and_passphrase(passphrase);
        self
    }

    /// What came of using them: a PIN that was refused is not sent again from
    /// the same source, by this process or another.
    pub(crate) fn used<T>(
        &self,
        store: &IdentityStore,
        result: Result<T, CliError>,
    ) -> Result<T, CliError> {
        if let Some((token, source)) = &self.pin {
            let noted = match &result {
                Err(CliError::Identity(error)) if error.is_wrong_pin() => {
                    store.remember_refusal(token, source)
                }
                Ok(_) => store.forget_refusals(token),
                Err(_) => Ok(()),
            };
            if let Err(error) = noted {
                say(&format!("warning: whether the PIN was refused could not be noted: {error}"));
            }
        }
        result
    }
}

impl Context {
    /// The credentials that open an identity.
    pub(crate) fn credentials(&self, identity: &Located<'_>) -> Result<Given, CliError> {
        let needs = identity.needs();
        let given = self.pin_if(needs.pin(), || identity.describe())?;
        // For a token that cannot keep the storage key, beside the PIN.
        if needs.passphrase() {
            let prompt = format!("Passphrase{}: ", self.whose());
            return Ok(given.and_passphrase(self.passphrase(&prompt, None)?));
        }
        Ok(given)
    }

    /// The credentials of an identity that is restored: the PIN that its key
    /// has, and a new passphrase.
    pub(crate) fn credentials_after_restore(
        &self,
        backend: &dyn Backend,
        header: &Header,
    ) -> Result<Given, CliError> {
        let needs = Needs::of(header);
        let given = self.pin_if(needs.pin(), || backend.describe())?;
        if needs.passphrase() {
            return Ok(given.and_passphrase(self.new_passphrase()?));
        }
        Ok(given)
    }

    /// The PIN of the key, if it has one.
    fn pin_if(
        &self,
        needed: bool,
        device: impl FnOnce() -> Description,
    ) -> Result<Given, CliError> {
        if needed {
            return self.pin(&device());
        }
        Ok(Given { credentials: Credentials::default(), pin: None })
    }

    /// The passphrase of the file with the recovery key.
    pub(crate) fn recovery_passphrase(&self, file: Option<&Path>) -> Result<Passphrase, CliError> {
        let prompt = "Passphrase of the recovery key: ";
        Ok(Passphrase::from(self.ask(&RECOVERY, file, prompt, None)?))
    }

    /// Whether there will be a prompt.
    pub(crate) fn asks_a_person(&self, kind: BackendKind) -> bool {
        let source = match kind {
            BackendKind::Pkcs11 | BackendKind::Tpm => {
                Asked::pin(self.part).source(self.pin_file.as_deref())
            }
            _ => Asked::passphrase(self.part).source(self.passphrase_file.as_deref()),
        };
        source == CredentialSource::Prompt
    }

    /// The credentials that a new identity of this backend will have.
    pub(crate) fn new_credentials(&self, backend: &dyn Backend) -> Result<Given, CliError> {
        let given = match backend.kind() {
            BackendKind::Pkcs11 => self.pin(&backend.describe())?,
            BackendKind::Tpm if self.config.identity.tpm.as_ref().is_none_or(|tpm| tpm.pin) => {
                self.new_pin(self.pin_file.as_deref())?
            }
            _ => Given { credentials: Credentials::default(), pin: None },
        };
        // Beside a PIN, only for a token that cannot keep a storage key. That it
        // cannot may turn out later: what was given is taken along for that.
        let source = PASSPHRASE.source(self.passphrase_file.as_deref());
        match backend.vault() {
            Some(_) if source == CredentialSource::Prompt => Ok(given),
            _ => Ok(given.and_passphrase(self.new_passphrase()?)),
        }
    }

    /// The PIN of a new key in a TPM: typed twice at a prompt.
    pub(crate) fn new_pin(&self, file: Option<&Path>) -> Result<Given, CliError> {
        let pin = self.ask(&PIN, file, "New PIN: ", Some("Again: "))?;
        Ok(Given { credentials: Credentials::pin(Pin::from(pin)), pin: None })
    }

    /// A PIN in the place of another: from a file or a prompt, and never from the
    /// variable, which has the present one.
    #[cfg(feature = "tpm")]
    pub(crate) fn another_pin(&self, file: Option<&Path>) -> Result<Pin, CliError> {
        match file {
            Some(_) => Ok(self.new_pin(file)?.credentials.want_pin(BackendKind::Tpm)?.clone()),
            None => {
                let asked = Asked { flag: "--new-pin-file", variable: "", ..PIN };
                Ok(Pin::from(at_prompt(&asked, "New PIN: ", Some("Again: "))?))
            }
        }
    }

    /// The PIN of a token or a TPM: from its PIN pad if it has one.
    pub(crate) fn pin(&self, token: &Description) -> Result<Given, CliError> {
        let (name, full_name) = match &token.device {
            Some(device) if device.serial.is_empty() => {
                (device.label.clone(), device.label.clone())
            }
            Some(device) => {
                (device.label.clone(), format!("{} (serial {})", device.label, device.serial))
            }
            None => ("(any)".into(), "(any)".into()),
        };
        let state = token.pin.unwrap_or_default();
        // A TPM that is locked says for how long when it is asked.
        if state.locked && token.kind == BackendKind::Pkcs11 {
            return Err(Pkcs11Error::PinLocked { token: name }.into());
        }
        let config = self.config.identity.tpm.as_ref();
        let allowed = config.is_some_and(|config| config.allow_final_try);
        if token.kind == BackendKind::Tpm && state.final_try && !allowed {
            return Err(TpmError::FinalTry.into());
        }
        if state.pin_pad {
            let (whose, warning) = (self.whose(), warning_of(&state));
            say(&format!("Enter the PIN of token {name}{whose} at its PIN pad{warning}."));
            return Ok(Given { credentials: Credentials::pin(Pin::at_pin_pad()), pin: None });
        }
        let asked = Asked::pin(self.part);
        let source = asked.source(self.pin_file.as_deref());
        if !self.retry_pin {
            self.store().check_source(&full_name, &source)?;
        }
        let what = if token.kind == BackendKind::Tpm { "key in" } else { "token" };
        let prompt = format!("PIN of {what} {name}{}{}: ", self.whose(), warning_of(&state));
        let pin = self.ask(&asked, self.pin_file.as_deref(), &prompt, None)?;
        let credentials = Credentials::pin(Pin::from(pin));
        Ok(Given { credentials, pin: Some((full_name, source)) })
    }

    /// A new passphrase: typed twice at a prompt, and never empty.
    fn new_passphrase(&self) -> Result<Passphrase, CliError> {
        self.passphrase("New passphrase: ", Some("Again: "))
    }

    /// A passphrase of something else than the identity, from a file or a prompt,
    /// and never from the variable, which has the identity's.
    pub(crate) fn another_passphrase(
        &self,
        flag: &'static str,
        file: Option<&Path>,
        prompt: &str,
    ) -> Result<Passphrase, CliError> {
        let asked = Asked { flag, variable: "", ..PASSPHRASE };
        Ok(Passphrase::from(self.ask(&asked, file, prompt, Some("Again: "))?))
    }

    pub(crate) fn passphrase(
        &self,
        prompt: &str,
        again: Option<&str>,
    ) -> Result<Passphrase, CliError> {
        let file = self.passphrase_file.as_deref();
        Ok(Passphrase::from(self.ask(&Asked::passphrase(self.part), file, prompt, again)?))
    }

    fn ask(
        &self,
        asked: &Asked,
        file: Option<&Path>,
        prompt: &str,
        again: Option<&str>,
    ) -> Result<LockedText, CliError> {
        let secret = match asked.source(file) {
            CredentialSource::File(file) => read_credential(&file)?,
            CredentialSource::Variable(name) => std::env::var_os(name)
                .unwrap_or_default()
                .into_string()
                .map(|text| SecretString::from(text).into())
                .map_err(|_| CliError::NotUtf8 { variable: asked.variable })?,
            _ => at_prompt(asked, prompt, again)?,
        };
        if secret.is_empty() {
            return Err(CliError::Empty { what: asked.what });
        }
        Ok(secret)
    }
}

/// What the device says about tries. A token tells of the last one only, a TPM
/// how many there are.
fn warning_of(state: &PinState) -> String {
    match state {
        PinState { final_try: true, tries_left: Some(_), .. } => {
            " (LAST TRY: a wrong PIN locks the TPM)".into()
        }
        PinState { final_try: true, .. } => " (LAST TRY: a wrong PIN locks the token)".into(),
        PinState { count_low: true, tries_left: Some(tries), .. } => {
            format!(" ({tries} tries left)")
        }
        PinState { count_low: true, .. } => " (a wrong PIN was entered before)".into(),
        _ => String::new(),
    }
}

/// On the terminal itself, so that a message can come on standard input.
fn at_prompt(asked: &Asked, prompt: &str, again: Option<&str>) -> Result<LockedText, CliError> {
    let read = |prompt: &str| {
        rpassword::prompt_password(one_line(prompt))
            .map(|text| LockedText::from(SecretString::from(text)))
            .map_err(|source| CliError::NoCredential {
                what: asked.what,
                flag: asked.flag,
                variable: asked.variable,
                source,
            })
    };
    let secret = read(prompt)?;
    if let Some(again) = again
        && !read(again)?.ct_eq(&secret)
    {
        return Err(CliError::Differ { what: asked.what });
    }
    Ok(secret)
}
