//! The one place from which a PIN goes to a module, and its conditions in a type:
//! [`Cleared`] is made by nothing but their check, under the lock of the token, and
//! sending uses it up.

use cryptoki::session::UserType;
use cryptoki::types::AuthPin;

use super::flags::may_send;
use super::info::TokenInfo;
use super::object::Objects;
use super::pins::{PinHash, Pins};
use super::place::Place;
use super::policy::Policy;
use super::refusal::{Refusal, Unclear};
use super::session::Session;
use super::token::Token;
use crate::error::Pkcs11Error;
use crate::secret::{NotNoted, Pin, Shown, WithoutNote, leaving_no_trace_of_much};

/// Which key the PIN is sent for: it is compared before, where that is possible.
#[derive(Clone, Copy)]
pub(super) enum Meant<'a> {
    /// This one. Its public key is compared now, if the token shows it without a login.
    Key(&'a Place),
    /// This one, after a loss: the token that showed it before must show it again.
    KeyAgain(&'a Place),
    /// This one, whose public key was deleted and is to be written back: whoever asks for
    /// that has the PIN sent to a token that does not show it. To one that shows another
    /// key it is not sent either.
    KeyNotShown(&'a Place),
    /// One that was found and compared within the login that lasts.
    KeyOfThisLogin,
    /// One that is shown within a login only: not by a token that shows others without.
    Hidden,
    /// None yet: one is to be made or looked for.
    None,
    /// What was made with this `CKA_ID` before the login was lost, and is to be removed.
    /// Another token with these names does not show it.
    Made(&'a [u8]),
}

/// Word that a PIN may be sent now, on one session of one token: it is not known as
/// refused, the key that it is for was compared, and the token is the one that is meant
/// and says of itself, just now, that it takes a PIN and has more than its last try (or
/// that this one may be spent).
///
/// It borrows what the lock of the connection keeps, and so does not outlive the lock.
#[must_use = "nothing is sent yet"]
pub(super) struct Cleared<'a> {
    pins: &'a mut Pins,
    token: &'a Token,
    session: &'a Session,
    pin: Pin,
    hash: PinHash,
    before: TokenInfo,
    without_note: WithoutNote,
    shown: Shown,
}

/// A PIN that the token has just taken: its count of wrong ones has begun anew.
pub(super) struct Taken<'a> {
    pins: &'a mut Pins,
    token: &'a Token,
    pin: Pin,
    hash: PinHash,
    before: TokenInfo,
}

impl Pins {
    /// Whether a PIN that somebody gives may be sent now.
    ///
    /// # Errors
    ///
    /// Why not. Flags that cannot be read are not flags that allow it.
    pub(super) fn clear<'a>(
        &'a mut self,
        objects: Objects<'a>,
        pin: &Pin,
        policy: Policy,
        meant: Meant<'_>,
    ) -> Result<Cleared<'a>, Pkcs11Error> {
        let hash = self.hash(objects.token, pin)?;
        self.cleared(objects, (pin.clone(), hash), policy, meant)
    }

    /// Whether the PIN that was accepted may be sent again now.
    ///
    /// # Errors
    ///
    /// As [`Self::clear`], and if it was refused or is in doubt.
    pub(super) fn clear_again<'a>(
        &'a mut self,
        objects: Objects<'a>,
        policy: Policy,
        meant: Meant<'_>,
    ) -> Result<Cleared<'a>, Pkcs11Error> {
        let pin = self.to_send_again(objects.token)?;
        self.cleared(objects, pin, policy, meant)
    }

    fn cleared<'a>(
        &'a mut self,
        objects: Objects<'a>,
        (pin, hash): (Pin, PinHash),
        policy: Policy,
        meant: Meant<'_>,
    ) -> Result<Cleared<'a>, Pkcs11Error> {
        let Objects { token, session } = objects;
        self.must_not_be_refused(token, &pin, &hash)?;
        match meant {
            Meant::Key(place) => place.check_before_pin(objects)?,
            Meant::KeyAgain(place) => place.check_again(objects)?,
            Meant::KeyNotShown(place) => place.check_from_outside(objects)?,
            Meant::Hidden => token_hides_keys(objects)?,
            Meant::Made(id) => token_shows_again(objects, id)?,
            Meant::KeyOfThisLogin | Meant::None => {}
        }
        // Last, so that nothing lies between it and the PIN.
        let before = token.info()?;
        may_send(token, &before, &pin, policy.allow_final_try)?;
        let shown = match token.identity().ends_with_its_process() {
            true if before.shows_none_counted(token.identity()) => Shown::NoneCounted,
            _ => Shown::Nothing,
        };
        if !pin.answer().may_be_sent_to(shown) {
            return Err(Pkcs11Error::PinInDoubt { token: token.name() });
        }
        let without_note = policy.without_note(token.identity(), &before);
        Ok(Cleared { pins: self, token, session, pin, hash, before, without_note, shown })
    }
}

/// That a token may show a key within a login that it does not show without.
fn token_hides_keys(objects: Objects<'_>) -> Result<(), Pkcs11Error> {
    match objects.all_public()?.is_empty() || objects.session.says_logged_in() {
        true => Ok(()),
        false => Err(Pkcs11Error::NoKey {
            token: objects.token.name(),
            wanted: "that is hidden without a login: it shows others".to_owned(),
        }),
    }
}

/// That a token is the one on which this was made: by its public half, or by its slot.
fn token_shows_again(objects: Objects<'_>, id: &[u8]) -> Result<(), Pkcs11Error> {
    match objects.token.is_told_by_slot() || !objects.public(id)?.is_empty() {
        true => Ok(()),
        false => Err(Pkcs11Error::NotOpen { token: objects.token.name() }),
    }
}

impl<'a> Cleared<'a> {
    /// Notes that the PIN is sent, sends it, once, and remembers what is answered to it.
    /// cryptoki wants a copy on the ordinary heap, which it wipes.
    pub(super) fn send(self, user: UserType) -> Result<Taken<'a>, Refusal> {
        let Self { pins, token, session, pin, hash, before, without_note, shown } = self;
        let sending = pins.sending((&hash, &pin), without_note, shown).map_err(
            |NotNoted { repair, source, .. }| {
                Refusal::NotNoted(Pkcs11Error::PinNotNoted { token: token.name(), repair, source })
            },
        )?;
        let sent = leaving_no_trace_of_much(|| {
            session.login(user, pin.text().map(AuthPin::from).as_ref())
        });
        match sent {
            Ok(()) => {
                pins.accept(&hash, &pin);
                sending.accepted();
                Ok(Taken { pins, token, pin, hash, before })
            }
            Err(error) => {
                let refusal = Refusal::of(token, user, &before, error);
                match &refusal {
                    Refusal::OfThisPin(_) => {
                        pins.refuse(&hash);
                        sending.refused();
                    }
                    Refusal::Unclear(unclear, _) => {
                        pins.doubt(&hash, unclear.clone());
                        // One that was not looked at may be right.
                        match unclear {
                            Unclear::Answered(_) => sending.in_doubt(),
                            Unclear::Locked | Unclear::OfficerIsIn => sending.not_sent(),
                        }
                    }
                    Refusal::AlreadyIn(_) | Refusal::Lost(_) | Refusal::NotNoted(_) => {
                        sending.not_sent();
                    }
                }
                Err(refusal)
            }
        }
    }
}

impl<'a> Taken<'a> {
    /// What the token said of itself before.
    pub(super) const fn info(&self) -> &TokenInfo {
        &self.before
    }

    /// The same PIN for one more session, in the same step.
    pub(super) fn also(self, session: &'a Session) -> Cleared<'a> {
        let Self { pins, token, pin, hash, before } = self;
        // The count of before has ended: else a wrong one would not be seen in the flags.
        let before = before.counting_anew();
        // It was taken just now.
        let (without_note, shown) = (WithoutNote::MayBeSent, Shown::Nothing);
        Cleared { pins, token, session, pin, hash, before, without_note, shown }
    }
}
