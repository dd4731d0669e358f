//! Where a passphrase or PIN comes from.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

use super::found::Found;
use super::wants::{Step, Wanted, Wants};
use crate::error::{CredentialError, Error};
use crate::keystore::Place;
use crate::secret::{LockedText, Passphrase, Pin};

/// Why a prompt brought nothing.
pub type PromptError = Box<dyn StdError + Send + Sync>;

/// Somebody who can be asked for a passphrase or PIN.
///
/// [`CredentialSource::prompt`] makes one of a closure.
pub trait Prompt {
    /// **Blocks** while a person is asked. Asks for it.
    ///
    /// # Errors
    ///
    /// If nobody answers.
    fn ask(&mut self, wanted: &Wanted) -> Result<LockedText, PromptError>;

    /// Tells that the PIN has to be entered at the PIN pad of the device, which is
    /// waiting for it.
    fn point_to_pin_pad(&mut self, wanted: &Wanted) {
        let _ = wanted;
    }
}

struct Asking<F>(F);

impl<F, T, E> Prompt for Asking<F>
where
    F: FnMut(&Wanted) -> Result<T, E>,
    T: Into<LockedText>,
    E: Into<PromptError>,
{
    fn ask(&mut self, wanted: &Wanted) -> Result<LockedText, PromptError> {
        (self.0)(wanted).map(Into::into).map_err(Into::into)
    }
}

/// Where a passphrase or PIN comes from. Never from the command line, where every
/// program can read it.
///
/// One source serves whatever is wanted, a PIN or a passphrase; where both are (a
/// token that cannot keep the storage key), a prompt is asked twice, and to any
/// other [`Self::and_passphrase`] adds the second.
///
/// The PIN of a file or a variable that the device has refused is not sent again:
/// not by this process, nor by the next, wherever it comes from then.
#[must_use]
pub struct CredentialSource<'a> {
    pub(super) from: From<'a>,
    pub(super) passphrase: Option<Box<CredentialSource<'a>>>,
}

pub(super) enum From<'a> {
    Kept(Place),
    Systemd(String),
    Prompt(Box<dyn Prompt + Send + 'a>),
    Given(LockedText),
    PinPad,
    Nothing,
}

impl<'a> CredentialSource<'a> {
    const fn new(from: From<'a>) -> Self {
        Self { from, passphrase: None }
    }

    /// Whether a person is asked for what is wanted: whatever is known to be wrong is said
    /// before.
    pub(super) fn asks_somebody(&self, wants: &Wants) -> bool {
        let is_person = |source: &Self| matches!(source.from, From::Prompt(_) | From::PinPad);
        let for_passphrase = self.passphrase.as_deref().unwrap_or(self);
        (wants.pin().is_some() && is_person(self))
            || (wants.passphrase().is_some() && is_person(for_passphrase))
    }

    /// A file: one line of UTF-8, whose end is left out. It must be our own and readable
    /// by nobody else, or root's and readable at most by its group; the secrets of
    /// systemd and Kubernetes are taken. So is a pipe that this process was given, by
    /// `/dev/stdin` or `/dev/fd/N`.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(From::Kept(Place::File(path.into())))
    }

    /// A variable of the environment, read as a file is.
    pub fn variable(name: impl Into<String>) -> Self {
        Self::new(From::Kept(Place::Variable(name.into())))
    }

    /// A credential that systemd gives to the service (`LoadCredential=NAME:…`): the
    /// file of that name in `$CREDENTIALS_DIRECTORY`.
    pub fn systemd(name: impl Into<String>) -> Self {
        Self::new(From::Systemd(name.into()))
    }

    /// A person, who is asked by a function. What is refused is not noted: the
    /// person can type another one.
    pub fn prompt<T, E>(ask: impl FnMut(&Wanted) -> Result<T, E> + Send + 'a) -> Self
    where
        T: Into<LockedText>,
        E: Into<PromptError>,
    {
        Self::prompter(Asking(ask))
    }

    /// As [`Self::prompt`], by somebody who can also point to a PIN pad.
    pub fn prompter(prompt: impl Prompt + Send + 'a) -> Self {
        Self::new(From::Prompt(Box::new(prompt)))
    }

    /// A value that is at hand. That it was refused is remembered by this process, and
    /// not by the next: a service that is restarted takes a file or a variable.
    pub fn given(secret: impl Into<LockedText>) -> Self {
        Self::new(From::Given(secret.into()))
    }

    /// The PIN pad of the device.
    pub const fn pin_pad() -> Self {
        Self::new(From::PinPad)
    }

    /// There is none: for keys that a TPM opens by its PCRs alone.
    pub const fn nothing() -> Self {
        Self::new(From::Nothing)
    }

    /// The passphrase comes from there: beside a PIN, or where a passphrase is all
    /// that is wanted.
    pub fn and_passphrase(mut self, source: Self) -> Self {
        self.passphrase = Some(Box::new(source));
        self
    }

    /// **Blocks** on files, and while a person is asked. A passphrase of something
    /// else than the identity in a home: of an older file.
    ///
    /// # Errors
    ///
    /// [`CredentialError`], or that of a file.
    pub fn passphrase(mut self) -> Result<Passphrase, Error> {
        Ok(self.for_passphrase().read(&Wanted::passphrase(Step::Present))?.into_passphrase())
    }

    /// **Blocks** on files, and while a person is asked. A new passphrase: asked for
    /// twice, if a person is asked.
    ///
    /// # Errors
    ///
    /// As [`Self::passphrase`].
    pub fn new_passphrase(mut self) -> Result<Passphrase, Error> {
        Ok(self.for_passphrase().read(&Wanted::passphrase(Step::New))?.into_passphrase())
    }

    /// **Blocks** on files, and while a person is asked. A new PIN: asked for twice,
    /// if a person is asked.
    ///
    /// # Errors
    ///
    /// As [`Self::passphrase`].
    pub fn new_pin(mut self) -> Result<Pin, Error> {
        Ok(self.from.read(&Wanted::new_pin())?.into_pin())
    }

    /// **Blocks** on files, and while a person is asked. A PIN as it is, for a daemon that
    /// opens the identity by it.
    ///
    /// # Errors
    ///
    /// As [`Self::passphrase`].
    pub fn into_pin_text(mut self) -> Result<LockedText, Error> {
        Ok(self.from.read(&Wanted::any_pin())?.into_text())
    }

    /// **Blocks** on files, and while a person is asked. A passphrase as it is, for a daemon
    /// that opens the identity by it.
    ///
    /// # Errors
    ///
    /// As [`Self::passphrase`].
    pub fn into_passphrase_text(mut self) -> Result<LockedText, Error> {
        Ok(self.for_passphrase().read(&Wanted::passphrase(Step::Present))?.into_text())
    }

    fn for_passphrase(&mut self) -> &mut From<'a> {
        match &mut self.passphrase {
            Some(source) => &mut source.from,
            None => &mut self.from,
        }
    }
}

impl From<'_> {
    /// What it holds, if it is fit for that; of a new one the same twice, if a person is
    /// asked.
    pub(super) fn read(&mut self, wanted: &Wanted) -> Result<Found, Error> {
        let what = wanted.what();
        match self {
            Self::Kept(place) => Found::at(place, wanted),
            Self::Systemd(_) => Found::at(&self.place()?.ok_or(none(what))?, wanted),
            Self::Prompt(prompt) => {
                let mut ask = |wanted: &Wanted| {
                    let answer = prompt.ask(wanted);
                    answer.map_err(|source| CredentialError::NotAsked { what, source })
                };
                let secret = ask(wanted)?;
                // Nobody has to type twice what is not taken.
                let found = Found::given(secret.clone()).fit_for(wanted)?;
                if wanted.is_new() && !ask(&wanted.again())?.ct_eq(&secret) {
                    return Err(CredentialError::Differ { what }.into());
                }
                Ok(found)
            }
            Self::Given(secret) => Found::given(secret.clone()).fit_for(wanted),
            Self::PinPad | Self::Nothing => Err(none(what).into()),
        }
    }

    /// Where it is kept, if it stays there.
    pub(super) fn place(&self) -> Result<Option<Place>, CredentialError> {
        match self {
            Self::Kept(place) => Ok(Some(place.clone())),
            Self::Systemd(name) => {
                let variable = "CREDENTIALS_DIRECTORY";
                let directory = std::env::var_os(variable)
                    .ok_or_else(|| CredentialError::NotSet { variable: variable.into() })?;
                let directory = Path::new(&directory);
                if !directory.is_absolute() {
                    return Err(CredentialError::NotAbsolute { variable: variable.into() });
                }
                Ok(Some(Place::File(directory.join(name))))
            }
            Self::Prompt(_) | Self::Given(_) | Self::PinPad | Self::Nothing => Ok(None),
        }
    }
}

const fn none(what: &'static str) -> CredentialError {
    CredentialError::NotGiven { what }
}

impl fmt::Debug for CredentialSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match &self.from {
            From::Kept(place) => place.to_string(),
            From::Systemd(name) => format!("systemd's {name}"),
            From::Prompt(_) => "a prompt".into(),
            From::Given(_) => "given".into(),
            From::PinPad => "the PIN pad".into(),
            From::Nothing => "nothing".into(),
        };
        f.debug_struct("CredentialSource").field("from", &from).finish_non_exhaustive()
    }
}
