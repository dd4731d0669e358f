//! What a report means for an identity, one requirement at a time.

mod known;
mod of_identity;
mod probe;
mod there;

pub use self::known::{hidden, unfinished};
pub use self::of_identity::by_its_identity;
use self::there::{ELSEWHERE, adopt, p256, there, write_protected};
use super::cleaning::LABEL;
use super::{ModuleReport, TokenReport};
use crate::algorithm::AlgorithmId;
use crate::backend::doctor::{Outcome, Remedy, Verdict, verdict};
use crate::evidence::{Assurance, Lockout};

/// Requirements that a token's own word answers, and a probe better.
const MAKES: &str = "makes a key";
const STORAGE: &str = "keeps the storage key";

impl ModuleReport {
    /// The one token that the configuration means.
    #[must_use]
    pub fn selected(&self) -> Option<&TokenReport> {
        let mut selected = self.tokens.iter().filter(|token| token.selected);
        selected.next().filter(|_| selected.next().is_none())
    }

    /// Whether the configuration means one token.
    #[must_use]
    pub fn selection(&self) -> Verdict {
        let count = self.tokens.iter().filter(|token| token.selected).count();
        if let Some(away) = self.away().filter(|_| count == 0) {
            return away;
        }
        let named_alike = self.are_named_alike();
        let verdict = verdict(
            "one token",
            if count == 1 { Outcome::Ok } else { Outcome::Fail },
            match (count, self.tokens.len()) {
                (1, _) => "the configuration means one token".into(),
                (0, 0) => "the module shows no initialised token".into(),
                (0, _) => "the configuration means none of the tokens".to_owned(),
                (several, _) => format!("the configuration means {several} tokens"),
            },
            if count == 0 && self.namesake {
                "the token of the configured label has another serial number than the configured \
                 one: if it was initialised anew, its keys are gone, else bring the one that is \
                 meant; or correct `serial` under [identity.pkcs11]"
            } else if count == 0 {
                "plug the token in or initialise it, or correct `token`, `serial` or `key` under \
                 [identity.pkcs11]"
            } else if named_alike {
                "name one by `slot` under [identity.pkcs11]: they have one label and one serial \
                 number"
            } else {
                "name one by `token` or `serial` under [identity.pkcs11], beside `module`"
            },
        );
        let is_remedied = count > 1 && !named_alike;
        if is_remedied { verdict.remedied_by(Remedy::NameToken) } else { verdict }
    }

    /// Whether two of the tokens that the configuration means have the same names.
    fn are_named_alike(&self) -> bool {
        let selected = self.tokens.iter().filter(|token| token.selected);
        let mut names: Vec<_> = selected.map(|token| (&token.label, &token.serial)).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        names.len() < count
    }

    /// Why the token that is meant is not seen, where that is known: nothing is to be
    /// plugged in or initialised then.
    fn away(&self) -> Option<Verdict> {
        let fail = |found: String, advice| verdict("one token", Outcome::Fail, found, advice);
        match &self.renamed {
            Some(label) => Some(
                fail(
                    format!("the token of this serial number is labelled {label:?} now"),
                    "leave the token as it is: correct `token` under [identity.pkcs11], or, if an \
                     identity has its key there, record where the key is",
                )
                .remedied_by(Remedy::Relocate),
            ),
            None if self.out_of_reach.is_empty() => None,
            None => {
                Some(fail(format!("out of reach: {}", self.out_of_reach.join(", ")), START_SERVER))
            }
        }
    }
}

impl TokenReport {
    /// What the token's own word means, requirement by requirement.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        [
            self.health(),
            self.listed(),
            self.signs(),
            self.makes(),
            self.storage_key(),
            self.user_pin(),
            self.session_room(),
            self.hardware(),
        ]
        .into_iter()
        .chain(self.left_by_a_probe())
        .collect()
    }

    /// Keys of an earlier probe, which was killed or could not remove them.
    fn left_by_a_probe(&self) -> Option<Verdict> {
        let left = self.keys.iter().filter(|key| key.label == LABEL);
        let uris: Vec<_> = left.map(|key| key.uri.as_str()).collect();
        (!uris.is_empty()).then(|| left_by_a_probe(&uris.join(", ")))
    }

    fn has(&self, name: &str) -> bool {
        // cryptoki prints some of them by their older names.
        let also = match name {
            "CKM_EC_EDWARDS_KEY_PAIR_GEN" => "CKM_ECC_EDWARDS_KEY_PAIR_GEN",
            "CKM_EC_KEY_PAIR_GEN" => "CKM_ECC_KEY_PAIR_GEN",
            name => name,
        };
        self.mechanisms.iter().any(|present| present == name || present == also)
    }

    fn health(&self) -> Verdict {
        let (state, found) = match (self.error_state, self.write_protected) {
            (true, _) => (Outcome::Fail, "the token reports a failed self-test"),
            (_, true) => (Outcome::Warning, "it is write-protected: no key can be made on it"),
            _ => (Outcome::Ok, "the token reports no error"),
        };
        let advice = match self.error_state {
            true => "see the vendor's manual",
            false => {
                "before a key is made, take the protection off, by its switch or its own tool; keys \
                 that are there work as they are"
            }
        };
        verdict("health", state, found, advice)
    }

    fn listed(&self) -> Verdict {
        let errors: Vec<_> =
            [&self.unreadable, &self.keys_error].into_iter().flatten().cloned().collect();
        let found = match errors.is_empty() {
            true => format!("{} mechanisms", self.mechanisms.len()),
            false => errors.join("; "),
        };
        verdict(
            "lists what it has",
            if errors.is_empty() { Outcome::Ok } else { Outcome::Fail },
            found,
            "what cannot be listed cannot be used: see whether another module reaches this token",
        )
    }

    fn signs(&self) -> Verdict {
        let requirement = "signs with Ed25519";
        if self.has("CKM_EDDSA") {
            return verdict(requirement, Outcome::Ok, "CKM_EDDSA", "");
        }
        let found = self.instead_of("CKM_EDDSA");
        match self.has("CKM_ECDSA") {
            true if self.has("CKM_EC_KEY_PAIR_GEN") && !self.keys_in_slots => {
                p256(requirement, found)
            }
            true => self.there(requirement, found),
            false => verdict(requirement, Outcome::Fail, found, ELSEWHERE),
        }
    }

    fn makes(&self) -> Verdict {
        if self.keys_in_slots {
            let found = "a key made on it may take the place of one that is there, so none is";
            return self.there(MAKES, found.to_owned());
        }
        if self.write_protected {
            return self.write_protected();
        }
        let name = "CKM_EC_EDWARDS_KEY_PAIR_GEN";
        if self.has(name) && self.has("CKM_EDDSA") {
            return verdict(MAKES, Outcome::Ok, name, "");
        }
        let found = self.instead_of(name);
        match self.has("CKM_EC_KEY_PAIR_GEN") && self.has("CKM_ECDSA") {
            true => p256(MAKES, found),
            false => self.there(MAKES, found),
        }
    }

    /// A token that makes no key is fit if there are some. One that shows nothing may have
    /// some all the same.
    fn there(&self, requirement: &'static str, found: String) -> Verdict {
        if self.shows_public_keys || self.keys_error.is_some() {
            return there(requirement, found, self.usable_keys());
        }
        adopt(requirement, format!("{found}; it shows no key without a login: there may be some"))
    }

    fn write_protected(&self) -> Verdict {
        let found = "none can be made while it is write-protected".to_owned();
        match self.shows_public_keys || self.keys_error.is_some() {
            true => write_protected(found, self.usable_keys()),
            false => {
                write_protected(format!("{found}; keys that it does not show may be there"), 1)
            }
        }
    }

    /// Keys that are shown, and that the token can sign with.
    fn usable_keys(&self) -> usize {
        let signs = |algorithm| match algorithm {
            AlgorithmId::Ed25519 => self.has("CKM_EDDSA"),
            AlgorithmId::P256 => self.has("CKM_ECDSA"),
        };
        let keys = self.keys.iter().filter(|key| key.label != LABEL);
        let dids = keys.filter_map(|key| key.did.as_ref());
        dids.filter(|did| signs(did.verifying_key().algorithm())).count()
    }

    fn instead_of(&self, name: &str) -> String {
        let elliptic: Vec<_> = self
            .mechanisms
            .iter()
            .filter(|name| {
                ["_EC_", "_ECC_", "_ECD", "EDDSA"].iter().any(|part| name.contains(part))
            })
            .map(String::as_str)
            .collect();
        let there =
            if elliptic.is_empty() { "nothing of its kind".into() } else { elliptic.join(", ") };
        format!("no {name}; it has {there}")
    }

    /// By the names of mechanisms, which only a probe tries.
    fn storage_key(&self) -> Verdict {
        let advice = "keep a passphrase at hand: it is asked for beside the PIN";
        let gcm = self.has("CKM_AES_GCM") && self.has("CKM_AES_KEY_GEN");
        let ecdh = self.has("CKM_ECDH1_DERIVE") && self.has("CKM_EC_KEY_PAIR_GEN");
        let found = match (gcm, ecdh) {
            (true, true) => "it lists AES-GCM and ECDH on P-256; not tried",
            (true, false) => "it lists AES-GCM; not tried",
            (false, true) => "it lists ECDH on P-256; not tried",
            (false, false) => "neither AES-GCM nor ECDH",
        };
        let state = if gcm || ecdh { Outcome::Ok } else { Outcome::Warning };
        if self.keys_in_slots {
            let found = "not on this card: its key may take the place of one that is there";
            return verdict(STORAGE, Outcome::Warning, found, advice);
        }
        if self.write_protected {
            let found = "a new one cannot be kept while it is write-protected";
            return verdict(STORAGE, Outcome::Warning, found, advice);
        }
        verdict(STORAGE, state, found, advice)
    }

    fn user_pin(&self) -> Verdict {
        let pin = &self.pin;
        let (state, found, advice) = if pin.locked {
            (Outcome::Fail, "it is locked", "the security officer can set a new one")
        } else if !pin.initialized {
            (Outcome::Fail, "none is set", "the security officer can set one")
        } else if pin.to_be_changed {
            (Outcome::Fail, "it must be changed", "change it with the vendor's tool")
        } else if pin.final_try {
            (Outcome::Warning, "one try is left", "make sure of the PIN before it is sent")
        } else if pin.count_low {
            (Outcome::Warning, "wrong PINs were entered", "find out who tried")
        } else if pin.pin_pad {
            (
                Outcome::Warning,
                "it is entered at the token's PIN pad",
                "a service cannot do that alone",
            )
        } else {
            let found = match (pin.silent, pin.lockout) {
                (true, Some(Lockout::Never)) => {
                    "set; the token does not tell of wrong tries, and they do not lock it"
                }
                (true, _) => "set; the token does not tell of wrong tries, nor of a lock",
                (false, _) if self.tells_each_wrong_pin => {
                    "set; no wrong try since the right PIN was entered"
                }
                (false, _) => "set; the token does not tell of a wrong try",
            };
            (Outcome::Ok, found, "")
        };
        verdict("user PIN", state, found, advice)
    }

    fn session_room(&self) -> Verdict {
        match self.max_sessions {
            Some(limit) if limit < FOR_A_KEY => verdict(
                ROOM,
                Outcome::Fail,
                format!("{limit} in all, and a key that is used takes {FOR_A_KEY}"),
                "see whether the token can be configured for more; else use another",
            ),
            Some(limit) if limit < FOR_A_NEW_KEY => {
                let found =
                    format!("{limit} in all: no new key can be made, which takes {FOR_A_NEW_KEY}");
                adopt(ROOM, found)
            }
            Some(limit) => verdict(ROOM, Outcome::Ok, format!("{limit} in all"), ""),
            None => verdict(ROOM, Outcome::Ok, "the token names no limit", ""),
        }
    }

    fn hardware(&self) -> Verdict {
        let (state, found, advice) = match self.assurance {
            Assurance::Claimed | Assurance::Attested => {
                (Outcome::Ok, "the module says that it is hardware", "")
            }
            Assurance::Unstated => (
                Outcome::Warning,
                "the token does not say whether it is hardware",
                "ask its maker; if it is software or a service elsewhere, set \
                 `assurance_at_most` under [identity.pkcs11] to \"soft-token\" or \
                 \"remote-service\"",
            ),
            Assurance::RemoteService => (
                Outcome::Warning,
                "a service elsewhere keeps the keys",
                "ask its provider what keeps them: a remote service never counts as hardware",
            ),
            Assurance::SoftToken | Assurance::None => (
                Outcome::Warning,
                "a soft token",
                "use it for tests only: whoever can read its files can copy the key",
            ),
        };
        verdict("hardware", state, found, advice)
    }
}

fn left_by_a_probe(what: &str) -> Verdict {
    verdict(
        "nothing is left of a probe",
        Outcome::Warning,
        format!("an earlier probe has left {what}"),
        "once no probe runs, remove what is labelled `icn-identity probe` with the token's own \
         tool; it is no identity's key",
    )
    .remedied_by(Remedy::RemoveProbeKeys)
}

const START_SERVER: &str = "start the connector or server in front of the device, or correct its \
                            address in the module's own configuration (of p11-kit's client: \
                            P11_KIT_SERVER_ADDRESS)";
const ROOM: &str = "room for sessions";
/// The login, and the key that is open.
const FOR_A_KEY: u64 = 2;
/// And one to make it in.
const FOR_A_NEW_KEY: u64 = 3;
