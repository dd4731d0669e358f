//! What a probe means for an identity, one requirement at a time.

use super::super::honesty::Told;
use super::super::kept::Kept;
use super::super::probe::{MadeReport, NotMade, ProbeReport};
use super::there::{there, write_protected};
use super::{FOR_A_NEW_KEY, MAKES, ROOM, STORAGE, left_by_a_probe};
use crate::backend::doctor::{Outcome, Remedy, Verdict, verdict};
use crate::evidence::ProvenanceKind;

impl ProbeReport {
    /// What was found, requirement by requirement. They stand in the place of those of
    /// the same name that a token's own word gave ([`Verdict::put_in_place`]).
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        match (&self.made, &self.not_made) {
            (Some(made), _) => verdicts.extend(made.verdicts()),
            (None, Some(reason)) => verdicts.push(self.makes_none(reason)),
            (None, None) => {}
        }
        verdicts.push(self.keeps());
        verdicts.extend(self.no_room());
        if !self.left.is_empty() {
            let ids = self.left.join(", ");
            verdicts.push(left_by_a_probe(&format!("objects with CKA_ID {ids}")));
        }
        verdicts.extend(self.known.iter().map(|known| known.verdict()));
        verdicts.extend(self.known.iter().filter_map(|known| known.storage_verdict()));
        verdicts.extend(self.stays_loaded.then(|| {
            verdict(
                "leaves nothing in the TPM",
                Outcome::Warning,
                "this version of the module leaves the keys that the probe has removed loaded in the \
                 TPM, which may have no room for the next command",
                "run `tpm2_flushcontext -t` before that, while no other program uses the TPM; or let \
                 the module use a resource manager (TPM2_PKCS11_TCTI=device:/dev/tpmrm0)",
            )
        }));
        verdicts
    }

    /// What the probe did not try, and why not: nothing is known of it.
    #[must_use]
    pub fn not_tried(&self) -> Vec<&'static str> {
        let mut not_tried = Vec::new();
        if self.made.is_none() {
            if !matches!(self.not_made, Some(NotMade::Refused(_) | NotMade::WriteProtected(_))) {
                not_tried.push("making a key");
            }
            if !self.uses_known_key() {
                not_tried.push("signing");
            }
        }
        if self.made.as_ref().is_some_and(|made| !made.evidence.is_tried()) {
            not_tried.push("whether it tells the truth of keys that were not born in it");
        }
        // As every key of an identity has to.
        if self.made.as_ref().is_some_and(|made| !made.lasting) && self.has_room() {
            not_tried.push("making a key that lasts");
        }
        let untried = |kept: &Kept| matches!(kept, Kept::KeysInSlots | Kept::NotInSession(_));
        let storage = &self.storage;
        if !storage.is_kept() && [&storage.aes_gcm, &storage.ecdh].into_iter().any(untried) {
            not_tried.push("keeping the storage key");
        }
        not_tried
    }

    /// Whether a new key may work, as far as the probe has seen.
    #[must_use]
    pub fn may_make_one(&self) -> bool {
        let is_refused = matches!(
            self.not_made,
            Some(NotMade::Refused(_) | NotMade::NoMechanism | NotMade::WriteProtected(_))
        );
        !is_refused && self.has_room()
    }

    /// For the sessions that a new key takes.
    fn has_room(&self) -> bool {
        let limit = self.session_limit.and_then(|limit| u64::try_from(limit).ok());
        limit.is_none_or(|limit| limit >= FOR_A_NEW_KEY)
    }

    fn no_room(&self) -> Option<Verdict> {
        let limit = self.session_limit.filter(|_| !self.has_room())?;
        let found = format!(
            "{limit} could be opened in all: no new key can be made, which takes {FOR_A_NEW_KEY}"
        );
        Some(there(ROOM, found, self.keys))
    }

    /// Whether the key that was there signs.
    #[must_use]
    pub fn uses_known_key(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.provenance.is_some())
    }

    fn makes_none(&self, reason: &NotMade) -> Verdict {
        let (found, advice) = match reason {
            NotMade::NoMechanism => ("it lists no mechanism for it".into(), None),
            NotMade::KeysInSlots => {
                ("not tried, since a new key may take the place of one that is there".into(), None)
            }
            NotMade::NoSessionKeys(said) => (
                format!("none that goes with its session: {said}"),
                Some("allow the probe a lasting key, which it removes"),
            ),
            NotMade::NoSession(said) => {
                let found = format!("no session was left for it: {said}");
                let advice = "close what else uses the token, then probe again; if nothing does, it \
                              has too few sessions for a new key";
                let nothing_works = self.keys == 0 && !self.has_room();
                let state = if nothing_works { Outcome::Fail } else { Outcome::Warning };
                return verdict(MAKES, state, found, advice);
            }
            NotMade::WriteProtected(said) => {
                return write_protected(format!("it makes none: {said}"), self.keys);
            }
            NotMade::Refused(said) => (format!("it makes none: {said}"), None),
        };
        match advice {
            Some(advice) => {
                verdict(MAKES, Outcome::Warning, found, advice).remedied_by(Remedy::LastingProbe)
            }
            None => there(MAKES, found, self.keys),
        }
    }

    fn keeps(&self) -> Verdict {
        let kept = self.storage.is_kept();
        let found = self.storage.in_words();
        let unknown = [&self.storage.aes_gcm, &self.storage.ecdh]
            .iter()
            .any(|kept| matches!(kept, Kept::NotInSession(_)));
        if kept {
            return verdict(STORAGE, Outcome::Ok, found, "");
        }
        if unknown {
            let advice = "keep a passphrase at hand; or allow the probe a lasting key, which it \
                          removes";
            return verdict(STORAGE, Outcome::Warning, found, advice)
                .remedied_by(Remedy::LastingProbe);
        }
        let advice = "keep a passphrase at hand: it is asked for beside the PIN";
        verdict(STORAGE, Outcome::Warning, found, advice)
    }
}

impl MadeReport {
    fn verdicts(&self) -> Vec<Verdict> {
        let makes = match self.lasting {
            true => format!("made for {}: a key that lasted, and was removed", self.algorithm),
            false => format!(
                "made for {}: a key that went with its session; one that lasts was not tried",
                self.algorithm
            ),
        };
        vec![
            verdict(MAKES, Outcome::Ok, makes, ""),
            verdict(
                "signs correctly",
                if self.signatures_verify { Outcome::Ok } else { Outcome::Fail },
                format!("CKA_EC_PARAMS {}, CKA_EC_POINT {}", self.curve, self.point),
                "do not use this token: its signatures do not verify",
            ),
            self.tells(),
        ]
    }

    fn tells(&self) -> Verdict {
        let evidence = &self.evidence;
        let full = evidence.born_inside == Told::Shows(ProvenanceKind::Hardware);
        let (outcome, advice) = if matches!(evidence.born_inside, Told::Exposable(_)) {
            // As when an identity is made.
            (
                Outcome::Fail,
                "it would hand out the keys that it makes, so no identity can have one: use \
                 another token",
            )
        } else if !evidence.is_honest() {
            (
                Outcome::Fail,
                "its word about the origin of keys is worth nothing: use another token, or \
                 tell its maker",
            )
        } else if !full {
            (
                Outcome::Warning,
                "keys on it are `device-held`, never `hardware`: it does not show that they \
                 were born there",
            )
        } else if !evidence.is_tried() {
            (
                Outcome::Warning,
                "it takes no key from outside, so whether it would tell was not tried: ask its \
                 maker what it says of a key that was imported",
            )
        } else {
            (Outcome::Ok, "")
        };
        verdict("tells where keys come from", outcome, evidence.in_words(), advice)
    }
}
