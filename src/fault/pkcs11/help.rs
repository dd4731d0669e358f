//! What to try next with a token and its PKCS#11 module.

use super::super::io::quoted;
use super::Pkcs11Error;
use crate::algorithm::AlgorithmId;
use crate::did::Did;
use crate::encoding::hex;
use crate::evidence::Lockout;
use crate::kind::ErrorKind;
use crate::locator::{Pkcs11Locator, Pkcs11Uri};

impl Pkcs11Error {
    /// The id of a URI that means no key, as a URI writes it, where it was given in the
    /// hexadecimal that other tools print.
    #[doc(hidden)]
    #[must_use]
    pub fn id_in_hex(&self) -> Option<String> {
        let Self::NoKey { wanted, .. } = self else { return None };
        let uri = wanted.strip_prefix("that ")?.strip_suffix(" means")?;
        let uri: Pkcs11Uri = uri.parse().ok()?;
        let digits = std::str::from_utf8(uri.id()?).ok()?.replace(':', "").to_ascii_lowercase();
        let bytes = hex::decode(&digits)?;
        (bytes.len() > 1).then(|| bytes.iter().map(|byte| format!("%{byte:02X}")).collect())
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Module { path, problem, configured_in, .. } => {
                let advice = problem.advice(path);
                let Some(file) = configured_in else { return Some(advice) };
                let section = "under [identity.pkcs11]";
                let of_file = format!("{section} in {}", quoted(file));
                return Some(advice.replacen(section, &of_file, 1));
            }
            Self::NoToken { renamed: Some(label), .. }
            | Self::NotConfiguredToken { renamed: Some(label), .. } => {
                return Some(format!(
                    "the token of this serial number is labelled {label:?} now (a card takes its \
                     label from its certificate): correct `token` under [identity.pkcs11], and \
                     record where the key is (`IdentityStore::relocate`)"
                ));
            }
            Self::OutOfReach { .. } => {
                "start the connector or server in front of the device, or correct its address in \
                 the module's own configuration (of p11-kit's client: P11_KIT_SERVER_ADDRESS)"
            }
            Self::NoToken { present, .. } if present.is_empty() => {
                "plug the token in; if it is one in software, name its own configuration by the \
                 variable that it wants (as SOFTHSM2_CONF), also for a service and under sudo"
            }
            Self::OtherSerial { .. } => {
                "the token of that label has another serial number than the one that is meant. If it \
                 was initialised anew, its keys are gone: put the token's own backup back. Else bring \
                 the token that is meant; if the key is on another now, record where it is \
                 (`IdentityStore::relocate`)"
            }
            Self::NoToken { .. } => {
                "plug the token in, or correct `token` or `serial` (or `key`) under [identity.pkcs11]"
            }
            Self::NotConfiguredToken { .. } => {
                "correct `token` or `serial` (or `key`) under [identity.pkcs11]; if the key has moved, \
                 record where it is (`IdentityStore::relocate`)"
            }
            Self::AmbiguousToken { differ_by, .. } => {
                return Some(format!(
                    "name one by `{differ_by}` under [identity.pkcs11], beside `module`"
                ));
            }
            Self::NoMechanism { instead: Some(AlgorithmId::P256), .. } => {
                "for a new identity use P-256, which this token has; or use a \
                 token with CKM_EDDSA"
            }
            Self::NoMechanism { algorithm: AlgorithmId::Ed25519, .. } => {
                "use a token with CKM_EDDSA and CKM_EC_EDWARDS_KEY_PAIR_GEN"
            }
            Self::NoMechanism { algorithm: AlgorithmId::P256, .. } => {
                "use a token with CKM_ECDSA and CKM_EC_KEY_PAIR_GEN"
            }
            Self::NoKey { .. } if self.id_in_hex().is_some() => {
                let id = self.id_in_hex().unwrap_or_default();
                return Some(format!(
                    "if that id is the key's in hexadecimal, write it as a URI wants it, a % before \
                     each two digits: id={id}"
                ));
            }
            Self::NoKey { .. } => {
                "check that this is the right token: `pkcs11-tool --module MODULE --token-label TOKEN \
                 --login --list-objects` shows what it has, private keys too"
            }
            Self::HalfElsewhere { uri, .. } => {
                return Some(format!(
                    "write the public key to it, which the header knows \
                     (`Home::write_public_key_within_login`, with `key` {uri}), then record where \
                     the key is"
                ));
            }
            Self::NoPublicKey { of_identity: true, .. } => {
                "write the public key back, which the header knows \
                 (`LockedIdentity::write_public_key`)"
            }
            Self::NoPublicKey { of_identity: false, .. } => {
                "write its public key to the token, with the same id: `pkcs11-tool --module \
                 MODULE --token-label TOKEN --login --write-object FILE --type pubkey --id ID`"
            }
            Self::NoPrivateKey { .. } => {
                "restore the private key by the token's own backup, if there is one: nothing else \
                 has it"
            }
            Self::OtherKind { .. } => {
                "name another key: an identity has an Ed25519 or a P-256 key that signs"
            }
            Self::AmbiguousKey { .. } => {
                "remove or relabel the stray object, so that the id names one key"
            }
            Self::NotConfiguredKey { .. } => {
                "correct `key` under [identity.pkcs11]; if the key has moved, record where it is \
                 (`IdentityStore::relocate`)"
            }
            Self::NotFound { logged_in: true, .. } => {
                "check that this is the right token: within a login it shows every key that it has"
            }
            Self::NotFound { .. } => {
                "plug in or restore the token; one that shows no key without a login is searched \
                 with the PIN, if no other token matches: name it by its URI"
            }
            Self::FoundTwice { .. } => "name one by its URI: `key` under [identity.pkcs11]",
            Self::LeftBehind { by_their_id: false, .. } => {
                "destroy each object with this CKA_ID by the token's own tool (if it is unknown, each \
                 new one with the label that the key was to have): nothing uses it, and no later \
                 attempt removes it, since it shows another id than it was given"
            }
            Self::LeftBehind { .. } => {
                "make the identity again when the token works: what is left there is removed first"
            }
            Self::ProbeLeft { .. } => {
                "destroy each object with this CKA_ID by the token's own tool: nothing uses them"
            }
            Self::ClaimsBirth { .. } => {
                "update the module, or use another token; or make a new key in this one, and rotate to \
                 it, and take its evidence for no more than its word"
            }
            Self::TakesNoKey { .. } => {
                "make a new key in the token, and rotate to it; or allow the token to take keys (some \
                 have a policy or a mode for it)"
            }
            Self::TakesNoPublicKey { shown_by_private: true, uri, .. } => {
                return Some(format!(
                    "do without the public object: have it recorded that this token does not show \
                     the key without a login (`Home::relocate_within_login`, with `key` = {uri:?})"
                ));
            }
            Self::TakesNoPublicKey { .. } => {
                "restore the public object by the token's own backup, or have the token's own tool \
                 make it anew"
            }
            Self::KeysInSlots { .. } => {
                "make the key with the card's own tool and adopt it (`IdentityStore::adopt`); or \
                 set `make_keys_in_slots = true` under [identity.pkcs11] if no key on the card \
                 is of any use"
            }
            Self::LabelTaken { keys, .. } if !keys.is_empty() => {
                return Some(format!(
                    "if it is the key of an identity whose files were lost, restore them from a \
                     backup, or without one make the identity around the key that is there \
                     (`Home::adopt`): {}. A new key is another DID: choose another label for it, \
                     `key_label` under [identity.pkcs11]",
                    places(keys)
                ));
            }
            Self::LabelTaken { .. } => "choose another label: `key_label` under [identity.pkcs11]",
            Self::KeyReplaced { .. } => {
                "nothing was signed and no PIN was sent: find out who replaced the key, and \
                 restore it or the token"
            }
            Self::OtherPrivateKey { .. } => {
                "the private key of this DID is not there: put it back from the token's own backup, \
                 under its id, or bring the token that has it; and find out who put another there"
            }
            Self::KeyNotShown { .. } => {
                "find out whether it is another token with the same label and serial number. If it \
                 is yours and its public key was deleted, write that back \
                 (`LockedIdentity::write_public_key`, which sends the PIN); if the key is on another token \
                 now, record where it is (`IdentityStore::relocate`)"
            }
            Self::PublicKeyHidden { .. } => {
                "if it is your token, record that it does not show the key any more \
                 (`IdentityStore::relocate`, with the token named by its URI): until then no PIN is \
                 sent to it"
            }
            Self::PublicKey { .. } => {
                "this key cannot be used here: generate another in the device"
            }
            Self::WrongPin { final_try: true, .. } => {
                "do not guess: the next wrong PIN locks the token; ask whoever set it up"
            }
            Self::WrongPin { lockout: Some(Lockout::Tpm), .. } => {
                "check the PIN; it is never retried for you: each wrong one counts against every key \
                 of the TPM (`tpm2_getcap properties-variable` shows how many, and by inLockout whether it is locked)"
            }
            Self::WrongPin { .. } => "check the PIN; it is never retried for you",
            Self::PinKnownWrong { .. } => "give another PIN",
            Self::PinInDoubt { .. } => {
                "make sure of the PIN, and look whether wrong ones were counted; then have it tried \
                 once more (`HomeOptions::retry_refused`)"
            }
            Self::PinDiffers { .. } => "give the PIN of this token",
            Self::PinNotNoted { repair, .. } => {
                return Some(format!(
                    "{repair}; or, if that is to stay so, give a state directory \
                     (`HomeOptions::with_state_directory`), or make sure of the PIN and set \
                     `allow_unnoted_try = true` under [identity.pkcs11]: a wrong one costs a try \
                     at each start then"
                ));
            }
            Self::PinNotSentAgain { repair, .. } => return Some(repair.clone()),
            Self::PinBeingTried { .. } => {
                "wait until the token has answered, and try again; nothing has to be removed"
            }
            Self::FinalTry { .. } => {
                "make sure of the PIN, then allow the last try with `allow_final_try = true` under \
                 [identity.pkcs11], or have the security officer reset it"
            }
            Self::PinLocked { of_tpm: false, .. } => {
                "the security officer can set a new one (`pkcs11-tool --module MODULE --token-label \
                 TOKEN --login --init-pin`)"
            }
            Self::PinLocked { .. } => {
                "wait, with the machine running, until the TPM forgets wrong PINs one by one, or have \
                 its owner reset the count (`tpm2_dictionarylockout -c`); a new PIN cannot be set \
                 before that"
            }
            Self::PinUnusable { problem, .. } | Self::PinNotTaken { problem, .. } => {
                problem.advice()
            }
            Self::PinPerSignature { .. } => {
                "set `module` under [identity.pkcs11] to the library behind this one \
                 (`p11-kit list-modules` names it)"
            }
            Self::NotReopened { .. } => {
                "nothing was signed: find out whether the token was replaced, then open the key again"
            }
            Self::Forked => {
                "open tokens after forking, or start the other process anew: sessions and logins \
                 stay with the process that made them"
            }
            Self::NotOpen { .. } => "open a key of this token with its PIN (again)",
            Self::Call { kind: ErrorKind::Busy, .. } => {
                "the token has no session left: close what else uses it, or lower `sessions` under \
                 [identity.pkcs11]"
            }
            Self::Call { kind: ErrorKind::DeviceAbsent, .. } => {
                "plug the token in, or start what it is behind, then try again"
            }
            Self::Call { kind: ErrorKind::Storage, .. } => {
                "the token is full: delete keys on it that nothing uses, by its own tool"
            }
            Self::Call { kind: ErrorKind::Permission, .. } => {
                "the token is write-protected: take that off, by its switch or its own tool"
            }
            Self::Call { kind: ErrorKind::Unsupported, .. } => {
                "this token cannot do it as it is: see what it has (`pkcs11-tool --module \
                 MODULE --token-label TOKEN --list-mechanisms`), and whether its firmware is current"
            }
            Self::Call {
                call: "C_Login",
                kind: ErrorKind::WrongCredential | ErrorKind::DeviceFailed,
                of_tpm: true,
                ..
            } => {
                "see whether the TPM answers and is not locked (`tpm2_getcap properties-variable`), and \
                 whether it has room (`tpm2_flushcontext -t` removes what programs have left in it, \
                 while none of them runs); then give the PIN again: it may have been counted as a \
                 wrong one"
            }
            Self::Call { kind: ErrorKind::DeviceFailed, of_tpm: true, .. } => {
                "see whether the TPM answers and is not locked (`tpm2_getcap properties-variable`), and \
                 whether it has room (`tpm2_flushcontext -t` removes what programs have left in it, \
                 while none of them runs)"
            }
            // SoftHSM answers so when it is full.
            Self::Call { call, kind: ErrorKind::DeviceFailed, .. } if makes(call) => {
                "look up the module's answer in its manual or log; a token that is full may answer so, \
                 which its own tool tells"
            }
            Self::Call { call: "C_Login", .. } => {
                "look up the module's answer in its manual or log before you give the PIN again: it \
                 may have been counted as a wrong one"
            }
            Self::Call { .. } => {
                "look up the module's answer in its manual or log, and see whether the vendor's own \
                 tool can use the token"
            }
        };
        Some(help.to_owned())
    }
}

fn makes(call: &str) -> bool {
    ["C_GenerateKeyPair", "C_GenerateKey", "C_CreateObject"].contains(&call)
}

/// `did:icn:z… at pkcs11:…`
fn places(keys: &[(Did, Pkcs11Locator)]) -> String {
    let each: Vec<_> = keys.iter().map(|(did, place)| format!("{did} at {place}")).collect();
    each.join(", ")
}
