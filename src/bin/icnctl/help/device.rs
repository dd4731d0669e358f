//! What to try next with a token or a TPM.

use icn_identity::error::{
    DeviceError, KeystoreError, OpenError, Pkcs11Error, SignError, TpmError, WaysOut,
};
use icn_identity::{AlgorithmId, ErrorKind};

use super::Help;
use crate::this_home;

impl Help for OpenError {
    fn on_the_command_line(&self) -> Option<String> {
        match self {
            Self::Exposable(_) => Some(
                "generate a new key in the device, sensitive and not extractable (`icnctl id init \
                 --backend pkcs11` does)"
                    .into(),
            ),
            Self::Device(error) | Self::Challenge(SignError::Device(error)) => {
                error.on_the_command_line()
            }
            _ => self.help(),
        }
    }
}

impl Help for SignError {
    fn on_the_command_line(&self) -> Option<String> {
        match self {
            Self::Device(error) => error.on_the_command_line(),
            Self::BadSignature(_) => Some(
                "do not trust this device until you know why: run `icnctl id show` and compare its \
                 key, then ask its maker"
                    .into(),
            ),
            Self::TooLong { .. } | Self::NoMemory { .. } | Self::NoMemoryForModule { .. } => Some(
                "sign it for a context, --context NAME: that signs its hash, whatever the length; \
                 so does a P-256 key"
                    .into(),
            ),
            _ => self.help(),
        }
    }
}

impl Help for DeviceError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::Pkcs11(Pkcs11Error::NotReopened { .. }) => return self.help(),
            Self::Pkcs11(error) => return error.on_the_command_line(),
            Self::Tpm(error) => return error.on_the_command_line(),
            Self::NoPkcs11 => "build with `--features pkcs11`",
            Self::NoTpm => "build with `--features tpm` (needs libtss2-dev)",
            Self::NoAlgorithm { .. } => {
                "P-256 keys are for devices: use --backend pkcs11 or tpm, or leave --algorithm out"
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}

impl Help for Pkcs11Error {
    fn on_the_command_line(&self) -> Option<String> {
        let help = self.with_commands()?;
        let going_on = "go on with the move, with this as its module: icnctl id migrate --to pkcs11 \
                        --module PATH, with the --mode and the --algorithm that it was begun with";
        if let Self::Module { configured_in: Some(file), .. } = self
            && this_home::is_staged_config(file)
            && help.contains("`module`")
        {
            return Some(format!("{help}; or {going_on}"));
        }
        if !help.contains("icnctl id relocate") {
            return Some(help);
        }
        let Some(ways) = this_home::ways_out_of_move() else { return Some(help) };
        let first = match ways {
            WaysOut::OnOrBack => {
                "go on with it, which records where the token's key is: icnctl id migrate; or undo it \
                 first: icnctl id migrate --roll-back"
            }
            WaysOut::Back => "undo it to the end first: icnctl id migrate --roll-back",
            WaysOut::Finish => "finish it first: icnctl id migrate --finish",
            _ => return Some(help),
        };
        Some(match self {
            Self::NoToken { renamed: Some(label), .. }
            | Self::NotConfiguredToken { renamed: Some(label), .. } => format!(
                "the token of this serial number is labelled {label:?} now, and the identity is being \
                 moved: {first}; then, where it still does not open, icnctl id relocate"
            ),
            _ => format!("{help}. While the identity is being moved, that is refused: {first}"),
        })
    }
}

/// The same, whatever else is under way.
trait WithCommands {
    fn with_commands(&self) -> Option<String>;
}

impl WithCommands for Pkcs11Error {
    fn with_commands(&self) -> Option<String> {
        let help = match self {
            Self::NoMechanism { instead: Some(AlgorithmId::P256), .. } => {
                "for a new identity use P-256, which this token has: --algorithm p256; or use a \
                 token with CKM_EDDSA"
            }
            Self::NoToken { renamed: Some(label), .. }
            | Self::NotConfiguredToken { renamed: Some(label), .. } => {
                return Some(format!(
                    "the token of this serial number is labelled {label:?} now (a card takes its \
                     label from its certificate): run `icnctl id relocate`"
                ));
            }
            Self::OtherSerial { .. } => {
                "the token of that label has another serial number than the one that is meant. If it \
                 was initialised anew, its keys are gone: put the token's own backup back. Else bring \
                 the token that is meant, or correct `serial` under [identity.pkcs11]; if the key is \
                 on another token now, run `icnctl id relocate`"
            }
            Self::NoToken { present, .. } if !present.is_empty() => {
                "plug the token in, or correct `token` or `serial` (or `key`) under [identity.pkcs11] \
                 (--token, --key); if the key of an identity is on another token now, or its token \
                 was renamed, run `icnctl id relocate`"
            }
            Self::NotConfiguredToken { .. } => {
                "correct `token` or `serial` (or `key`) under [identity.pkcs11]; if the key has moved, \
                 run `icnctl id relocate`"
            }
            Self::AmbiguousToken { differ_by, .. } => match *differ_by {
                "slot" => {
                    "name one by `slot` under [identity.pkcs11], beside `module`: nothing else tells \
                     them apart"
                }
                "token" => {
                    "name one by its label: --key 'pkcs11:token=LABEL', with `;id=…` or `;object=…` \
                     of a key that is there (--token LABEL does for id init and backend doctor); \
                     or by `token` under [identity.pkcs11], beside `module`"
                }
                _ => {
                    "name one by its label or serial number: --key 'pkcs11:serial=SERIAL', with \
                     `;id=…` or `;object=…` of a key that is there (--token LABEL does for id init \
                     and backend doctor); or by `serial` under [identity.pkcs11], beside `module`"
                }
            },
            Self::NotConfiguredKey { .. } => {
                "correct `key` under [identity.pkcs11] or --key; if the key has moved, run `icnctl \
                 id relocate`"
            }
            Self::NoKey { .. } if self.id_in_hex().is_some() => return self.help(),
            Self::NoKey { .. } => {
                "check that this is the right token: `pkcs11-tool --module MODULE --token-label TOKEN \
                 --login --list-objects` shows what it has. If the key is on another token, run \
                 `icnctl id relocate`"
            }
            Self::HalfElsewhere { uri, .. } => {
                return Some(format!(
                    "write the public key to it, which the header knows, if the private key proves \
                     to be its own: icnctl id write-public-key --key '{uri}'; then record that it is \
                     there: icnctl id relocate"
                ));
            }
            Self::NoPublicKey { of_identity: true, .. } => {
                "write the public key back, which the header knows: icnctl id write-public-key"
            }
            Self::TakesNoPublicKey { shown_by_private: true, uri, .. } => {
                return Some(format!(
                    "do without the public object: have it recorded that this token does not show \
                     the key without a login, which sends the PIN: icnctl id relocate --key '{uri}'"
                ));
            }
            Self::Call {
                call: "C_Login",
                kind: ErrorKind::WrongCredential | ErrorKind::DeviceFailed,
                of_tpm: true,
                ..
            } => {
                "see whether the TPM answers and is not locked (`tpm2_getcap properties-variable`), and \
                 whether it has room (`tpm2_flushcontext -t` removes what programs have left in it, \
                 while none of them runs). Then run the command once with --retry-pin: the PIN may \
                 have been counted as a wrong one"
            }
            Self::KeyNotShown { .. } => {
                "find out whether it is another token with the same label and serial number. If it \
                 is yours and its public key was deleted, write that back, which sends the PIN: \
                 icnctl id write-public-key. If the key is on another token now: icnctl id relocate"
            }
            Self::PublicKeyHidden { .. } => {
                "if it is your token, record that it does not show the key any more, which sends the \
                 PIN: icnctl id relocate --key 'pkcs11:token=LABEL'; until then no PIN is sent to it"
            }
            Self::NotFound { logged_in: false, .. } => {
                "plug in or restore the token; one that shows no key without a login is searched \
                 with the PIN if it is the only one, and has the label or the serial number of the \
                 one before. Name another: --key 'pkcs11:token=LABEL'. If the token has the private \
                 key and lost the public one, run `icnctl id write-public-key`; if that is another token \
                 than before, with --key 'pkcs11:token=LABEL'"
            }
            Self::NotFound { logged_in: true, .. } => {
                "check that this is the right token: within a login it shows every key that it has; \
                 if it has the private key and lost the public one, run `icnctl id write-public-key`"
            }
            Self::FoundTwice { .. } => "name one with --key URI",
            Self::PinInDoubt { .. } => {
                "make sure of the PIN, and look whether wrong ones were counted (`icnctl backend \
                 doctor`); then run the command once with --retry-pin"
            }
            Self::PinNotNoted { repair, .. } => {
                return Some(format!(
                    "{repair}; or, if that is to stay so, name a directory that can be written to in \
                     $XDG_STATE_HOME, or make sure of the PIN and run the command once with \
                     --retry-pin. A service needs `allow_unnoted_try = true` under \
                     [identity.pkcs11]: a wrong PIN costs a try at each start then"
                ));
            }
            Self::LeftBehind { by_their_id: false, .. } => {
                "destroy each of them (`pkcs11-tool --module MODULE --token-label TOKEN --login --delete-object --id ID --type privkey`, \
                 pubkey and secrkey; where the id is unknown, --label with the label that the key was \
                 to have): nothing uses them, and no later attempt removes them, since they show \
                 another id than they were given"
            }
            Self::ProbeLeft { .. } => {
                "destroy each of them (`pkcs11-tool --module MODULE --token-label TOKEN --login --delete-object --id ID --type privkey`, \
                 pubkey and secrkey): nothing uses them"
            }
            Self::PinNotSentAgain { source, .. } => {
                return source.downcast_ref().and_then(KeystoreError::on_the_command_line);
            }
            Self::KeysInSlots { .. } => {
                "make the key with the card's own tool, then run `icnctl id init --key URI`; or set \
                 `make_keys_in_slots = true` under [identity.pkcs11] if no key on the card is of \
                 any use"
            }
            Self::LabelTaken { keys, .. } if !keys.is_empty() => {
                let each: Vec<_> =
                    keys.iter().map(|(did, place)| format!("for {did} --key '{place}'")).collect();
                return Some(format!(
                    "if it is the key of an identity whose files were lost, restore them: icnctl id \
                     restore FILE --identity-file KEYFILE. Without a backup take the key that is there, by this \
                     command with this as its only --key: {}. A new key is another DID, and has to have another label: --key-label",
                    each.join(", or ")
                ));
            }
            Self::LabelTaken { .. } => "choose another label with --key-label",
            Self::PublicKey { .. } => {
                "this key cannot be used here: generate one with `icnctl id init`"
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}

impl Help for TpmError {
    fn on_the_command_line(&self) -> Option<String> {
        let help = match self {
            Self::PcrMismatch { authorized: true, .. } => {
                "if firmware or boot loader were updated, have these values approved (`icnctl tpm \
                 approve`, then `icnctl tpm install`); if nothing was, find out what has changed"
            }
            Self::PcrMismatch { .. } => {
                "boot the state that the key was made for; a P-256 key has its policy for good: where states \
                 are to change, make it with policy = \"authorized\". Before the next update have an Ed25519 \
                 key sealed for the coming values too (`icnctl id reseal --pcr-values FILE`), or use policy = \
                 \"authorized\". If nothing was updated, find out what has changed"
            }
            Self::NotAttestable => {
                "make an identity with a P-256 key, which is born in the TPM, in a home of its own (icnctl \
                 --home OTHER id init --backend tpm --algorithm p256), and hand over to it (icnctl id \
                 rotation create --successor OTHER --reason upgrade)"
            }
            Self::NoBank { .. } => "choose a `pcr_bank` that `icnctl backend doctor` lists",
            Self::PinNotNoted { repair, .. } => {
                return Some(format!(
                    "{repair}; or, if that is to stay so, have the count of wrong PINs reset \
                     (`tpm2_dictionarylockout -c`), or make sure of the PIN and run the command \
                     once with --retry-pin. A service needs `allow_unnoted_try = true` under \
                     [identity.tpm]: a wrong PIN costs a try at each start then"
                ));
            }
            Self::PinMissing => "give it with --pin-file or $ICN_PIN; no try was spent",
            Self::FinalTry => {
                "make sure of the PIN, then allow the last try with `allow_final_try = true` under \
                 [identity.tpm], or have the owner reset the count (`tpm2_dictionarylockout -c`), or \
                 wait: the TPM forgets wrong PINs one by one. After how many seconds, and whether \
                 the key opens at all, is said without a PIN by: icnctl tpm check"
            }
            Self::ParentChanged { .. } | Self::NoParent { .. } | Self::NotAParent { .. } => {
                "nothing was sent to it: make the storage key at that handle again, by the commands \
                 that made it; the same TPM makes the same key (tpm2_createprimary and \
                 tpm2_evictcontrol, docs/backends/tpm.md, \"Set-up\"). For a new identity, correct \
                 `key_handle` under [identity.tpm]; to move an Ed25519 identity to another storage \
                 key, remove `parent_name` there and run `icnctl id reseal`. Only if the TPM was \
                 cleared or exchanged, its keys are lost"
            }
            Self::PolicyRefused { .. } => {
                "this should not be: report it, with the TPM's code and what `icnctl backend doctor` \
                 says"
            }
            Self::Attributes { .. } => "make a new key with `icnctl id init --backend tpm`",
            Self::TakesNoApproval => {
                "set `policy = \"authorized\"` and `approver` under [identity.tpm] in icn.toml, then run \
                 `icnctl id reseal`; a P-256 key has its policy for good: make another identity \
                 (`icnctl id init --policy authorized`)"
            }
            Self::NotConfiguredParent { .. } => {
                "restore the one that was changed: `parent_name` under [identity.tpm], or \
                 identity.json (with identity.age). Which one it is tells `icnctl backend doctor`: the \
                 storage key of this TPM has the right Name. Nothing was sent to it"
            }
            Self::Approval { .. } => {
                "make it anew from what `icnctl tpm check --format json` prints on this node"
            }
            _ => return self.help(),
        };
        Some(help.to_owned())
    }
}
