//! Where a passphrase or PIN comes from: a file, the environment, a prompt.
//! Never the command line, where every process can read it.

mod once;

use std::path::Path;

use icn_identity::Passphrase;
#[cfg(feature = "tpm")]
use icn_identity::Pin;
use icn_identity::backend::BackendKind;
use icn_identity::home::{CredentialSource, LockedIdentity, Prompt, PromptError, Wanted};
use icn_identity::keystore::{Header, Opened, Storage};
use icn_identity::secret::LockedText;

pub(crate) use self::once::Kept;
use self::once::{FromPipe, Once};
use crate::context::{Context, Part};
use crate::error::CliError;
use crate::output::{one_line, say};
use crate::patience;
use crate::report::warn;
use crate::standard;
use crate::terminal::{self, NotAnswered};

/// What is asked for, and under which names it can be given.
#[derive(Clone, Copy)]
struct Asked {
    what: &'static str,
    flag: &'static str,
    variable: &'static str,
}

const PASSPHRASE: Asked =
    Asked { what: "passphrase", flag: "--passphrase-file", variable: "ICN_PASSPHRASE" };
const RECOVERY: Asked = Asked {
    what: "passphrase of the recovery key",
    flag: "--identity-passphrase-file",
    variable: "ICN_RECOVERY_PASSPHRASE",
};
const PIN: Asked = Asked { what: "PIN", flag: "--pin-file", variable: "ICN_PIN" };

impl Asked {
    /// The same, for several steps: what can be had once is kept.
    fn source_kept(
        self,
        file: Option<&Path>,
        terminal: Terminal,
        kept: &Kept,
    ) -> CredentialSource<'static> {
        let once = |prompt| CredentialSource::prompter(Once::new(prompt, kept));
        match file {
            Some(file) if standard::is_input(file) => match standard::take(self.flag) {
                Ok(()) => once(Box::new(FromPipe("/dev/stdin".into()))),
                Err(error) => CredentialSource::prompter(Refusing(Some(error))),
            },
            Some(file) if FromPipe::is_one(file) => once(Box::new(FromPipe(file.to_owned()))),
            None if self.variable.is_empty() || std::env::var_os(self.variable).is_none() => {
                once(Box::new(terminal))
            }
            file => self.source(file, terminal),
        }
    }

    /// The file that was named, else the variable if it is set, else a prompt.
    fn source(self, file: Option<&Path>, terminal: Terminal) -> CredentialSource<'static> {
        let variable = Some(self.variable).filter(|name| !name.is_empty());
        match (file, variable.filter(|name| std::env::var_os(name).is_some())) {
            (Some(file), _) if standard::is_input(file) => match standard::take(self.flag) {
                Ok(()) => CredentialSource::file("/dev/stdin"),
                // Said when it is wanted.
                Err(error) => CredentialSource::prompter(Refusing(Some(error))),
            },
            (Some(file), _) => CredentialSource::file(file),
            (None, Some(variable)) => CredentialSource::variable(variable),
            (None, None) => CredentialSource::prompter(terminal),
        }
    }

    /// On the terminal itself, so that a message can come on standard input.
    fn at_terminal(self, text: &str) -> Terminal {
        Terminal { asked: self, whose: String::new(), text: Some(text.to_owned()) }
    }
}

/// Asks on the terminal.
struct Terminal {
    asked: Asked,
    /// ` of the successor in /home/icn/next`
    whose: String,
    /// In the place of what is asked for as a rule.
    text: Option<String>,
}

impl Prompt for Terminal {
    fn ask(&mut self, wanted: &Wanted) -> Result<LockedText, PromptError> {
        let (whose, warning) = (&self.whose, wanted.warning());
        let text = match (&self.text, wanted.whose()) {
            _ if wanted.is_repeated() => "Again: ".to_owned(),
            (Some(text), _) => text.clone(),
            (None, _) if wanted.is_new() => format!("New {}{whose}: ", wanted.what()),
            (None, Some(device)) => format!("PIN of {device}{whose}{warning}: "),
            (None, None) => format!("Passphrase{whose}: "),
        };
        let Asked { what, flag, variable } = self.asked;
        patience::silently(|| terminal::ask(&one_line(&text))).map_err(|error| match error {
            NotAnswered::NoTerminal(source) => {
                let device = wanted.whose().filter(|_| wanted.is_pin());
                let device = device.map(|device| format!(" of the {}", one_line(&device)));
                // Another one was given, of the old identity.
                let of_new = flag == "--to-passphrase-file";
                let whose = device.or_else(|| of_new.then(|| whose.clone()));
                let whose = whose.unwrap_or_default();
                CliError::NoCredential { what, whose, flag, variable, source }.into()
            }
            problem => CliError::NotTyped { what, flag, variable, problem }.into(),
        })
    }

    fn point_to_pin_pad(&mut self, wanted: &Wanted) {
        let (token, whose, warning) = (wanted.label(), &self.whose, wanted.warning());
        say(&format!("Enter the PIN of token {token}{whose} at its PIN pad{warning}."));
    }
}

/// Asks nobody.
struct Refusing(Option<CliError>);

impl Prompt for Refusing {
    fn ask(&mut self, _: &Wanted) -> Result<LockedText, PromptError> {
        match self.0.take() {
            Some(error) => Err(error.into()),
            None => Err("it was refused before".into()),
        }
    }
}

impl Context {
    /// Where the credentials of the identity come from. A PIN pad is used whatever is
    /// given.
    pub(crate) fn source(&self, wanted: Option<&Wanted>) -> CredentialSource<'static> {
        let (pin, passphrase) = (self.asked(PIN), self.asked(PASSPHRASE));
        let (pin_file, file) = (self.pin_file.as_deref(), self.passphrase_file.as_deref());
        let at_pad = wanted.is_some_and(Wanted::is_at_pin_pad);
        let source = match at_pad {
            true => CredentialSource::prompter(self.terminal(pin)),
            false => pin.source(pin_file, self.terminal(pin)),
        };
        source.and_passphrase(passphrase.source(file, self.terminal(passphrase)))
    }

    /// The same, for several steps: what a person types or a pipe brings is kept.
    pub(crate) fn source_kept(
        &self,
        wanted: Option<&Wanted>,
        kept_pin: &Kept,
        kept_passphrase: &Kept,
    ) -> CredentialSource<'static> {
        let (pin, passphrase) = (self.asked(PIN), self.asked(PASSPHRASE));
        let (pin_file, file) = (self.pin_file.as_deref(), self.passphrase_file.as_deref());
        let source = match wanted.is_some_and(Wanted::is_at_pin_pad) {
            true => CredentialSource::prompter(self.terminal(pin)),
            false => pin.source_kept(pin_file, self.terminal(pin), kept_pin),
        };
        let terminal = self.terminal(passphrase);
        source.and_passphrase(passphrase.source_kept(file, terminal, kept_passphrase))
    }

    /// That the files which are named for credentials are there, before a person is asked for
    /// another one.
    pub(crate) fn check_files(&self) -> Result<(), CliError> {
        let named = [&self.pin_file, &self.passphrase_file];
        named.into_iter().flatten().try_for_each(|file| check_file(file))
    }

    /// That a PIN can be had where it will come from, as far as that shows before it is wanted.
    pub(crate) fn check_pin_source(&self) -> Result<(), CliError> {
        let Asked { what, flag, variable } = self.asked(PIN);
        match self.pin_file.as_deref() {
            Some(file) => check_file(file),
            None if !variable.is_empty() && std::env::var_os(variable).is_some() => Ok(()),
            None => terminal::check_there().map_err(|source| CliError::NoCredential {
                what,
                whose: String::new(),
                flag,
                variable,
                source,
            }),
        }
    }

    fn terminal(&self, asked: Asked) -> Terminal {
        Terminal { asked, whose: self.whose(), text: None }
    }

    /// Under which names it is given, where there are two identities.
    fn asked(&self, asked: Asked) -> Asked {
        let is_pin = asked.what == PIN.what;
        let flag = |of_pin, of_passphrase| if is_pin { of_pin } else { of_passphrase };
        match self.part {
            // Its credentials are in no variable.
            Part::Successor => {
                let flag = flag("--successor-pin-file", "--successor-passphrase-file");
                Asked { flag, variable: "", ..asked }
            }
            Part::Target { has_the_variable: true } if is_pin => asked,
            Part::Target { .. } => {
                Asked { flag: flag("--to-pin-file", "--to-passphrase-file"), variable: "", ..asked }
            }
            Part::Only | Part::Old => asked,
        }
    }

    /// The same, of an identity that was found.
    pub(crate) fn source_of(&self, identity: &LockedIdentity<'_>) -> CredentialSource<'static> {
        self.source(identity.wants().pin())
    }

    /// What a daemon is sent to open the identity: a PIN or passphrase, or both. No device is
    /// asked; `for_whom` says where it goes.
    pub(crate) fn credentials_for_daemon(
        &self,
        for_whom: &str,
    ) -> Result<(LockedText, Option<LockedText>), CliError> {
        let header = self.header().ok();
        let is_age = self.config.identity.backend == BackendKind::Age;
        let with_passphrase = !is_age
            && header.as_ref().is_some_and(|it| matches!(it.storage(), Storage::Passphrase {}));
        let without_pin =
            header.as_ref().and_then(Header::tpm).is_some_and(|object| object.policy.pin.is_none());
        let passphrase = || {
            let terminal = PASSPHRASE.at_terminal(&format!("Passphrase {for_whom}: "));
            let source = PASSPHRASE.source(self.passphrase_file.as_deref(), terminal);
            Ok::<_, CliError>(source.into_passphrase_text()?)
        };
        if is_age {
            return Ok((passphrase()?, None));
        }
        let pin = match (without_pin, header.as_ref().and_then(Header::locator)) {
            // The state of its machine opens it.
            (true, _) => LockedText::from(""),
            (false, locator) => {
                let token = locator.map(|it| format!(" of token {}", it.token));
                let text = format!("PIN{} {for_whom}: ", token.unwrap_or_default());
                let source = PIN.source(self.pin_file.as_deref(), PIN.at_terminal(&text));
                source.into_pin_text()?
            }
        };
        Ok((pin, with_passphrase.then(passphrase).transpose()?))
    }

    /// Opens an identity, and says when a renewal that was due has failed.
    pub(crate) fn open(&self, identity: LockedIdentity<'_>) -> Result<Opened, CliError> {
        let source = self.source_of(&identity);
        let opened = self.waiting_for_device(|| identity.unlock(source))?;
        if let Some(error) = &opened.renewal_failed {
            warn("the TLS certificate is due for renewal, which failed", error);
        }
        Ok(opened)
    }

    /// Does something that the device of the identity has to answer to.
    pub(crate) fn waiting_for_device<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.config.identity.backend {
            BackendKind::Pkcs11 => patience::during("the token", work),
            BackendKind::Tpm => patience::during("the TPM", work),
            _ => work(),
        }
    }

    /// The passphrase of something else, that the same options name.
    pub(crate) fn passphrase(&self, prompt: &str) -> Result<Passphrase, CliError> {
        let file = self.passphrase_file.as_deref();
        Ok(PASSPHRASE.source(file, PASSPHRASE.at_terminal(prompt)).passphrase()?)
    }
}

/// What comes by a pipe is read once, when it is wanted.
fn check_file(file: &Path) -> Result<(), CliError> {
    let is_piped = standard::is_input(file) || FromPipe::is_one(file);
    let what = || file.display().to_string();
    let failed = |source| CliError::Input { what: what(), source };
    match std::fs::metadata(file) {
        _ if is_piped => Ok(()),
        Ok(metadata) if !metadata.is_file() => Ok(()),
        Ok(_) => std::fs::File::open(file).map(drop).map_err(failed),
        Err(source) => Err(failed(source)),
    }
}

/// The passphrase of the file with the recovery key.
pub(crate) fn recovery_passphrase(file: Option<&Path>) -> Result<Passphrase, CliError> {
    let terminal = RECOVERY.at_terminal("Passphrase of the recovery key: ");
    Ok(RECOVERY.source(file, terminal).passphrase()?)
}

/// A passphrase of something else than the identity, from a file or a prompt,
/// and never from the variable, which has the identity's.
pub(crate) fn another_passphrase(
    flag: &'static str,
    file: Option<&Path>,
    prompt: &str,
) -> Result<Passphrase, CliError> {
    let what = match flag {
        "--export-passphrase-file" => "passphrase of the export",
        _ => "new passphrase",
    };
    let asked = Asked { what, flag, variable: "" };
    Ok(asked.source(file, asked.at_terminal(prompt)).new_passphrase()?)
}

/// A PIN in the place of another: from a file or a prompt, and never from the
/// variable, which has the present one.
#[cfg(feature = "tpm")]
pub(crate) fn another_pin(file: Option<&Path>) -> Result<Pin, CliError> {
    let asked = Asked { what: "new PIN", flag: "--new-pin-file", variable: "" };
    Ok(asked.source(file, asked.at_terminal("New PIN: ")).new_pin()?)
}
