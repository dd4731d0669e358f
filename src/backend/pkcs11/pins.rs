//! What this process knows of the PINs of one token: as salted hashes, but for the one
//! that was accepted.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::refusal::Unclear;
use super::token::Token;
use crate::error::Pkcs11Error;
use crate::secret::{
    Alone, NotNoted, NotSentAgain, Pin, PinAnswer, Sending, Shown, TriedByAnother, WithoutNote,
    leaving_no_trace_of_much,
};
use crate::sync::Instant;

/// More PINs than anybody tries; older answers are dropped first.
const MOST: usize = 64;

/// As many homes may have given one PIN, and want to know what becomes of it.
const MOST_GIVERS: usize = 16;

/// What is known of the PINs of one token. It is a part of what the lock of a
/// connection keeps: who has it has the lock.
#[derive(Default)]
pub(super) struct Pins {
    salt: Option<[u8; 32]>,
    /// What was refused, and when.
    refused: Vec<(PinHash, Instant)>,
    /// What was answered by neither yes nor no, and when.
    unclear: Vec<(PinHash, Instant, Unclear)>,
    /// The PIN that was accepted, while a key is open. `None` again if the token refuses
    /// it later.
    accepted: Option<Accepted>,
    accepted_was_refused: bool,
}

struct Accepted {
    hash: PinHash,
    /// Kept so that a lost login can be made again; no second copy. With it goes the
    /// note of what is answered to it.
    pin: Pin,
    /// Notes of those who gave it later.
    also_of: VecDeque<PinAnswer>,
    /// It was sent again, and what came back said neither yes nor no. It is not sent by
    /// itself, until whoever has it gives it anew.
    in_doubt: bool,
}

impl Accepted {
    fn given_by(&mut self, pin: &Pin) {
        let known = self.also_of.iter().chain([self.pin.answer()]).any(|it| it.is(pin.answer()));
        if pin.answer().is_noted() && !known {
            if self.also_of.len() == MOST_GIVERS {
                self.also_of.pop_front();
            }
            self.also_of.push_back(pin.answer().clone());
        }
    }
}

/// How a PIN stands to the one that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Same,
    Another,
    /// None is, or the token has refused it since.
    NoneAccepted,
}

impl Pins {
    pub(super) fn hash(&mut self, token: &Token, pin: &Pin) -> Result<PinHash, Pkcs11Error> {
        let salt = match self.salt {
            Some(salt) => salt,
            None => {
                let mut salt = [0; 32];
                crate::secret::fill_random(&mut salt).map_err(|error| Pkcs11Error::Call {
                    call: "getrandom",
                    token: token.name(),
                    kind: error.kind(),
                    of_tpm: false,
                    source: Box::new(error),
                })?;
                *self.salt.insert(salt)
            }
        };
        Ok(PinHash::new(salt, pin))
    }

    pub(super) fn standing(&self, hash: &PinHash) -> Standing {
        match &self.accepted {
            Some(accepted) if accepted.hash.same(hash) => Standing::Same,
            Some(_) => Standing::Another,
            None => Standing::NoneAccepted,
        }
    }

    /// That nothing which is known speaks against sending this PIN, for a caller who has
    /// waited for the lock since `asked`: what came meanwhile is the answer to it too.
    pub(super) fn may_be_given(
        &self,
        token: &Token,
        (pin, hash): (&Pin, &PinHash),
        asked: Instant,
    ) -> Result<(), Pkcs11Error> {
        self.must_not_be_refused(token, pin, hash)?;
        if self.refused.iter().any(|(known, at)| known.same(hash) && *at >= asked) {
            return Err(Self::known_wrong(token, pin));
        }
        let answered = self.unclear.iter().find(|(known, at, _)| known.same(hash) && *at >= asked);
        match answered {
            Some((_, _, unclear)) => Err(unclear.told_to_another(token, pin)),
            None => Ok(()),
        }
    }

    /// That it was not refused; or that whoever gives it insists, once.
    pub(super) fn must_not_be_refused(
        &self,
        token: &Token,
        pin: &Pin,
        hash: &PinHash,
    ) -> Result<(), Pkcs11Error> {
        match self.refused.iter().any(|(refused, _)| refused.same(hash)) {
            true if !pin.answer().insists() => Err(Self::known_wrong(token, pin)),
            _ => Ok(()),
        }
    }

    fn known_wrong(token: &Token, pin: &Pin) -> Pkcs11Error {
        pin.answer().refused();
        Pkcs11Error::PinKnownWrong { token: token.name() }
    }

    /// The accepted PIN, if nothing speaks against sending it again.
    pub(super) fn to_send_again(&self, token: &Token) -> Result<(Pin, PinHash), Pkcs11Error> {
        match &self.accepted {
            Some(accepted) if !accepted.in_doubt => {
                Ok((accepted.pin.clone(), accepted.hash.clone()))
            }
            None if self.accepted_was_refused => {
                Err(Pkcs11Error::PinKnownWrong { token: token.name() })
            }
            _ => Err(Pkcs11Error::NotOpen { token: token.name() }),
        }
    }

    /// All who gave the accepted PIN.
    fn givers(&self) -> impl Iterator<Item = &PinAnswer> {
        let accepted = self.accepted.iter();
        accepted.flat_map(|it| [it.pin.answer()].into_iter().chain(&it.also_of))
    }

    /// Who is told what becomes of the accepted PIN: of those who gave it, the first that
    /// wants to know. Homes of one user share what keeps others from the token.
    fn accepted_for(&self) -> PinAnswer {
        self.givers().find(|answer| answer.is_noted()).cloned().unwrap_or_default()
    }

    /// Before [`Self::clear`] or [`Self::clear_again`]: from there to the answer no other
    /// process sends a PIN to the token. What others were told of this one before, since the
    /// token has taken it, is looked at first.
    ///
    /// **Blocks** while another process does.
    ///
    /// # Errors
    ///
    /// If another process goes on with that, or has noted what bars this PIN.
    pub(super) fn alone(&self, token: &Token, given: Option<&Pin>) -> Result<Alone, Pkcs11Error> {
        let answer = given.map_or_else(|| self.accepted_for(), |pin| pin.answer().clone());
        let alone = answer.alone().map_err(|TriedByAnother { holder }| {
            Pkcs11Error::PinBeingTried { token: token.name(), holder }
        })?;
        let looked = match given {
            Some(pin) => pin.answer().look(),
            None => self.givers().try_for_each(PinAnswer::look),
        };
        looked.map_err(|NotSentAgain { repair, source }| Pkcs11Error::PinNotSentAgain {
            token: token.name(),
            repair,
            source,
        })?;
        Ok(alone)
    }

    /// Whether the accepted PIN is typed at the token, where nobody may stand now.
    pub(super) fn is_of_pad(&self) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| accepted.hash.of_pad)
    }

    /// The accepted PIN was given anew.
    pub(super) fn given_again(&mut self, pin: &Pin) {
        if let Some(accepted) = &mut self.accepted {
            let was_in_doubt = std::mem::take(&mut accepted.in_doubt);
            accepted.given_by(pin);
            pin.answer().compared();
            if was_in_doubt {
                // It is not for those either who gave it before.
                let all = accepted.also_of.iter().chain([accepted.pin.answer()]);
                all.for_each(PinAnswer::compared);
            }
        }
    }

    /// This PIN goes to the token next: noted for each of those who gave it.
    pub(super) fn sending(
        &self,
        (hash, pin): (&PinHash, &Pin),
        without_note: WithoutNote,
        shown: Shown,
    ) -> Result<Sendings, NotNoted> {
        let accepted = self.accepted.as_ref().filter(|accepted| accepted.hash.same(hash));
        let others = accepted
            .into_iter()
            .flat_map(|accepted| accepted.also_of.iter().chain([accepted.pin.answer()]))
            .filter(|other| !other.is(pin.answer()));
        let mut all = Sendings(Vec::new());
        for answer in [pin.answer()].into_iter().chain(others) {
            match answer.sending_to(without_note, shown) {
                Ok(sending) => all.0.push(sending),
                Err(not_noted) => {
                    all.not_sent();
                    return Err(not_noted);
                }
            }
        }
        Ok(all)
    }

    /// The token has taken a PIN.
    pub(super) fn accept(&mut self, hash: &PinHash, pin: &Pin) {
        self.accepted_was_refused = false;
        self.unclear.retain(|(known, ..)| !known.same(hash));
        self.refused.retain(|(known, _)| !known.same(hash));
        match &mut self.accepted {
            Some(accepted) if accepted.hash.same(hash) => {
                accepted.in_doubt = false;
                accepted.given_by(pin);
            }
            _ => {
                let (hash, pin, also_of) = (hash.clone(), pin.clone(), VecDeque::new());
                self.accepted = Some(Accepted { hash, pin, also_of, in_doubt: false });
            }
        }
    }

    /// The token has refused a PIN: it is not sent again, wherever it comes from. That of
    /// a PIN pad a person may type right the next time.
    pub(super) fn refuse(&mut self, hash: &PinHash) {
        if let Some(accepted) = self.accepted.take_if(|accepted| accepted.hash.same(hash)) {
            drop(accepted);
            self.accepted_was_refused = true;
        }
        if !hash.of_pad {
            self.refused.retain(|(known, _)| !known.same(hash));
            self.refused.push((hash.clone(), Instant::now()));
        }
    }

    /// Nobody knows whether a PIN was counted as a wrong try.
    pub(super) fn doubt(&mut self, hash: &PinHash, unclear: Unclear) {
        if let Some(accepted) = &mut self.accepted
            && accepted.hash.same(hash)
        {
            accepted.in_doubt = true;
        }
        if !hash.of_pad {
            self.unclear.retain(|(known, ..)| !known.same(hash));
            self.unclear.drain(..self.unclear.len().saturating_sub(MOST - 1));
            self.unclear.push((hash.clone(), Instant::now(), unclear));
        }
    }

    /// No key is open any more.
    pub(super) fn forget_accepted(&mut self) {
        self.accepted = None;
        self.accepted_was_refused = false;
    }
}

/// A PIN on its way, for each of those who gave it. Dropped, it is in doubt.
#[must_use = "what is dropped is in doubt"]
pub(super) struct Sendings(Vec<Sending>);

impl Sendings {
    pub(super) fn accepted(self) {
        self.0.into_iter().for_each(Sending::accepted);
    }

    pub(super) fn refused(self) {
        self.0.into_iter().for_each(Sending::refused);
    }

    pub(super) fn not_sent(self) {
        self.0.into_iter().for_each(Sending::not_sent);
    }

    pub(super) fn in_doubt(self) {
        self.0.into_iter().for_each(Sending::in_doubt);
    }
}

/// SHA-256 over a random salt of this process and token, and the PIN.
#[derive(Clone)]
pub(super) struct PinHash {
    hash: [u8; 32],
    /// There is no PIN: it is entered at a pad.
    of_pad: bool,
}

impl PinHash {
    fn new(salt: [u8; 32], pin: &Pin) -> Self {
        leaving_no_trace_of_much(|| {
            let text = pin.text().unwrap_or_default();
            let hash = Sha256::new().chain_update(salt).chain_update(text.as_bytes());
            Self { hash: hash.finalize().into(), of_pad: pin.text().is_none() }
        })
    }

    fn same(&self, other: &Self) -> bool {
        self.of_pad == other.of_pad && self.hash.ct_eq(&other.hash).into()
    }
}
