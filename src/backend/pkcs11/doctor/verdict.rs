//! What a report means for an identity, one requirement at a time.

use super::probe::{ProbeReport, Told};
use super::{ModuleReport, TokenReport};
use crate::algorithm::AlgorithmId;
use crate::backend::doctor::{Outcome, Verdict, verdict};
use crate::evidence::{Assurance, ProvenanceKind};

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
        verdict(
            "one token",
            if count == 1 { Outcome::Ok } else { Outcome::Fail },
            match (count, self.tokens.len()) {
                (1, _) => "the configuration means one token".into(),
                (0, 0) => "the module shows no initialised token".into(),
                (0, _) => "the configuration means none of the tokens".to_owned(),
                (several, _) => format!("the configuration means {several} tokens"),
            },
            if count == 0 {
                "plug the token in or initialise it, or correct `token` and `serial` under \
                 [identity.pkcs11]"
            } else {
                "name one by `serial` under [identity.pkcs11]"
            },
        )
    }
}

impl TokenReport {
    /// What the token's own word means, requirement by requirement.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        vec![
            self.health(),
            self.ed25519("signs with Ed25519", "CKM_EDDSA"),
            self.ed25519("makes Ed25519 keys", "CKM_EC_EDWARDS_KEY_PAIR_GEN"),
            self.storage_key(),
            self.user_pin(),
            self.session_room(),
            self.hardware(),
        ]
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
            (_, true) => {
                (Outcome::Warning, "it is write-protected: keys on it work, none can be made")
            }
            _ => (Outcome::Ok, "the token reports no error"),
        };
        verdict("health", state, found, "see the vendor's manual")
    }

    fn ed25519(&self, requirement: &'static str, name: &str) -> Verdict {
        if self.has(name) {
            return verdict(requirement, Outcome::Ok, name, "");
        }
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
        let found = format!("no {name}; it has {there}");
        if self.has("CKM_ECDSA") && self.has("CKM_EC_KEY_PAIR_GEN") {
            let advice = "Ed25519 absent: use a P-256 key";
            return verdict(requirement, Outcome::Warning, found, advice)
                .instead(AlgorithmId::P256);
        }
        verdict(
            requirement,
            Outcome::Fail,
            found,
            "a firmware update or another configuration of the token may bring it; else use \
             another token",
        )
    }

    fn storage_key(&self) -> Verdict {
        let (state, found) = if self.has("CKM_AES_GCM") && self.has("CKM_AES_KEY_GEN") {
            (Outcome::Ok, "by AES-256-GCM")
        } else if self.has("CKM_ECDH1_DERIVE") && self.has("CKM_EC_KEY_PAIR_GEN") {
            (Outcome::Ok, "by ECDH on P-256")
        } else {
            (Outcome::Warning, "neither AES-GCM nor ECDH")
        };
        verdict(
            "keeps the storage key",
            state,
            found,
            "keep a passphrase at hand: it is asked for beside the PIN",
        )
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
            (Outcome::Ok, "set, and no wrong tries", "")
        };
        verdict("user PIN", state, found, advice)
    }

    fn session_room(&self) -> Verdict {
        match self.max_sessions {
            Some(limit) if limit < 3 => verdict(
                "room for sessions",
                Outcome::Warning,
                format!("{limit} in all"),
                "let nothing else use this token",
            ),
            Some(limit) => verdict("room for sessions", Outcome::Ok, format!("{limit} in all"), ""),
            None => verdict("room for sessions", Outcome::Ok, "the token names no limit", ""),
        }
    }

    fn hardware(&self) -> Verdict {
        let (state, found, advice) = match self.assurance {
            Assurance::Claimed => (Outcome::Ok, "the token claims to be hardware", ""),
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

impl ProbeReport {
    /// What was measured, requirement by requirement.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let signs = verdict(
            "signs correctly",
            if self.signatures_verify { Outcome::Ok } else { Outcome::Fail },
            format!("CKA_EC_PARAMS {}, CKA_EC_POINT {}", self.curve, self.point),
            "do not use this token: its signatures do not verify",
        );
        let honest = self.evidence.is_honest();
        let full = self.evidence.born_inside == Told::Shows(ProvenanceKind::Hardware);
        let evidence = verdict(
            "tells where keys come from",
            match (honest, full) {
                (false, _) => Outcome::Fail,
                (true, false) => Outcome::Warning,
                (true, true) => Outcome::Ok,
            },
            self.evidence.in_words(),
            if honest {
                "keys on it are `device-held`, never `hardware`: it does not show that they were \
                 born there"
            } else {
                "its word about the origin of keys is worth nothing: use another token, or tell \
                 its maker"
            },
        );
        vec![signs, evidence]
    }
}
